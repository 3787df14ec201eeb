// nodemailer with its pool: another mail to every reader, as many at work as the pool has connections, twice over.
// node nodemailer.mjs FOLDER_OF_NODE_MODULES PORT MESSAGES CONNECTIONS FOLDER_OF_DIGEST DKIM_KEY|- [CA]
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [modules, port, messages, connections, digest, key, ca] = process.argv.slice(2);
const nodemailer = createRequire(`${modules}/`)('nodemailer');
const html = readFileSync(`${digest}/digest.html`, 'utf8').split('{{TOKEN}}');
const text = readFileSync(`${digest}/digest.txt`, 'utf8').split('{{TOKEN}}');
const options = {
  host: '127.0.0.1',
  port: Number(port),
  pool: true,
  maxConnections: Number(connections),
  maxMessages: Infinity,
};
if (ca) Object.assign(options, { secure: true, tls: { ca: readFileSync(ca) } });
else options.ignoreTLS = true;
if (key !== '-') {
  options.dkim = { domainName: 'example.org', keySelector: 's1', privateKey: readFileSync(key, 'utf8') };
}
const transport = nodemailer.createTransport(options);

let next = 0;
async function worker() {
  while (next < Number(messages)) {
    const n = next++;
    const token = n.toString(16).padStart(32, '0');
    const link = `https://news.example.org/unsubscribe/${token}`;
    await transport.sendMail({
      from: 'Field Notes <news@example.org>',
      to: `Reader ${n} <reader-${n}@example.com>`,
      subject: 'Field Notes: eleven notes',
      text: text.join(token),
      html: html.join(token),
      textEncoding: 'quoted-printable',
      headers: { 'List-Unsubscribe': `<${link}>`, 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' },
    });
  }
}
await Promise.all(Array.from({ length: Number(connections) * 2 }, worker));
transport.close();
