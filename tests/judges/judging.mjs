// What the judges that open pages in Chromium share: its driver and axe-core out of the node_modules folder MODULES, and a count of judgements.
import { createRequire } from "module";
import fs from "fs";
import path from "path";

export const tools = (modules) => {
  const require = createRequire(path.resolve(modules, "anchor.js"));
  return { puppeteer: require("puppeteer-core"), axe: fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8") };
};

let judgements = 0;
let bad = 0;
export const expect = (good, what) => {
  judgements += 1;
  if (!good) {
    bad += 1;
    console.log(what);
  }
};

// Says the count, and ends.
export const end = (name) => {
  console.log(`${name}: ${judgements} judgements, ${bad} bad`);
  process.exit(bad ? 1 : 0);
};
