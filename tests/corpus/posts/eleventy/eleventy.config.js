module.exports = function (config) {
  config.addFilter("shout", (text) => String(text).toUpperCase());
  config.addPairedShortcode("note", (body) => `<div class="note">${body}</div>`);
  config.addShortcode("film", (id) => `<video src="${id}"></video>`);
  return {
    dir: { input: "src", output: "_site" },
    markdownTemplateEngine: "njk",
  };
};
