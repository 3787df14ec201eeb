//! Liquid, as Jekyll runs it in posts. Promises: an unknown variable is empty, an unknown filter passes its value, and
//! whatever cannot be run is left out and reported, so that no `{%` reaches a reader.

mod filters;
mod include;
mod rewrite;
mod scan;
mod scope;
mod tick;
mod trouble;

use super::front_matter::{Kind, Yaml};
use chrono::{DateTime, FixedOffset};
use chrono_tz::Tz;
use liquid_core::model::{Object, Value, ValueView};
use liquid_core::parser::{Language, ParseBlock, ParseFilter, ParseTag};
use liquid_core::runtime::RuntimeBuilder;
use liquid_core::{Error, Renderable, Result, Runtime};
use scan::{Knowledge, Reference, Step};
use scope::{Lenient, Scope};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use trouble::Ledger;
pub use trouble::Trouble;
use url::Url;

/// What a post, and a value in it, may grow to.
const MAX_OUTPUT: usize = 8 * 1024 * 1024;
/// What its Liquid may cost: bytes shown, and bytes that loops go through.
const MAX_COST: usize = 64 * 1024 * 1024;

/// What is the same for every post.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Where the site is served; ends in `/`.
    pub base: Url,
    /// For dates without a zone.
    pub zone: Tz,
    /// What `now` and `site.time` are: the newest post's time, so that a build changes only with the posts.
    pub time: DateTime<FixedOffset>,
    /// Path of a post's URL by its file name without extension, and by its path below the site's folder.
    pub posts: HashMap<String, String>,
    /// `_includes`: text by path.
    pub includes: BTreeMap<String, String>,
    /// Whether front matter is also named without `page.`, as Eleventy has it.
    pub bare_names: bool,
}

impl Facts {
    /// A path on the site with the site's own path before it.
    fn relative_url(&self, path: &str) -> String {
        if Url::parse(path).is_ok() || path.starts_with("//") {
            return path.to_owned();
        }
        let prefix = self.base.path().trim_end_matches('/');
        if path.is_empty() {
            return prefix.to_owned();
        }
        let path = path.trim_start_matches('/');
        // Given twice, it stays once.
        match path.strip_prefix(prefix.trim_start_matches('/')) {
            Some(rest) if !prefix.is_empty() && rest.starts_with('/') => format!("/{path}"),
            _ => format!("{prefix}/{path}"),
        }
    }

    fn absolute_url(&self, path: &str) -> String {
        self.base.join(&self.relative_url(path)).map_or_else(|_| path.to_owned(), String::from)
    }
}

/// Makes what `page` gives in each of the blog's posts, newest first.
pub type Pages = dyn Fn() -> Vec<Value> + Send + Sync;

/// [`Facts`], and what was made of them and of the posts.
struct Shared {
    facts: Facts,
    /// By the keys of a map, sorted: the order in which its source has them. The crate's maps have none.
    orders: HashMap<Vec<String>, Vec<String>>,
    /// Makes `site.posts`, newest first.
    source: Box<Pages>,
    posts: OnceLock<Value>,
    /// Places in `posts` by path.
    places: OnceLock<HashMap<String, usize>>,
    tags: OnceLock<Value>,
    categories: OnceLock<Value>,
}

/// Runs the Liquid of posts.
pub struct Engine {
    shared: Arc<Shared>,
    language: Language,
    site: Value,
    jekyll: Value,
}

/// Takes from what a post's Liquid may cost.
fn spend(runtime: &dyn Runtime, cost: usize) -> Result<()> {
    let mut ledger = runtime.registers().get_mut::<Ledger>();
    ledger.spent = ledger.spent.saturating_add(cost);
    if ledger.spent > MAX_COST { Err(Error::with_msg("takes too long")) } else { Ok(()) }
}

/// A link to the post in place of what cannot be shown. One says all there is to say.
fn link_to_post(runtime: &dyn Runtime, out: &mut dyn Write) {
    if std::mem::replace(&mut runtime.registers().get_mut::<Ledger>().linked, true) {
        return;
    }
    let target = runtime.try_get(&["__post".into()]).map(|target| target.to_kstr().into_string()).unwrap_or_default();
    // What cannot be written has grown beyond all bounds, which is told elsewhere.
    let _ = write!(out, "<a href=\"{0}\">{0}</a>", escape(&target));
}

impl Engine {
    /// `site` is what `site.…` gives, beside `time`, `url` and `baseurl`; `posts` is
    /// asked once, when the first of the texts wants to know.
    pub fn new(facts: Facts, site: &Yaml, posts: Box<Pages>) -> Self {
        let mut object = match to_value(site) {
            Value::Object(object) => object,
            _ => Object::new(),
        };
        let origin = facts.base.origin().ascii_serialization();
        let path = facts.base.path().trim_end_matches('/').to_owned();
        object.insert("url".into(), Value::scalar(origin));
        object.insert("baseurl".into(), Value::scalar(path));
        object.insert("time".into(), Value::scalar(facts.time.format("%Y-%m-%d %H:%M:%S %z").to_string()));
        let mut orders = HashMap::new();
        remember_order(site, 32, &mut orders);
        let shared = Arc::new(Shared::new(facts, orders, posts));
        let language = language(&shared);
        let jekyll = [("environment", "production"), ("version", "4.3.1")];
        let jekyll = jekyll.into_iter().map(|(key, value)| (key.into(), Value::scalar(value))).collect();
        Engine { shared, language, site: Value::Object(object), jekyll: Value::Object(jekyll) }
    }

    /// Runs a text that begins on `line` of its file. `page` is what `page.…` gives; where a tag is not known, a link to
    /// `target`, the post itself, stands.
    pub fn render(&self, text: &str, line: u32, page: &Value, target: &Url) -> (String, Vec<Trouble>) {
        if !text.contains("{{") && !text.contains("{%") {
            return (text.to_owned(), Vec::new());
        }
        let mut globals: HashMap<liquid_core::model::KStringRef<'_>, &dyn liquid_core::ValueView> = HashMap::new();
        globals.insert("site".into(), &self.site);
        globals.insert("page".into(), page);
        let target = Value::scalar(target.as_str().to_owned());
        globals.insert("__post".into(), &target);
        globals.insert("jekyll".into(), &self.jekyll);
        let runtime = Scope::new(RuntimeBuilder::new().set_globals(&globals).build(), &self.shared, page);
        let mut out = Bounded(Vec::with_capacity(text.len()));
        run(text, line, &self.shared, &self.language, &runtime, &mut out);
        let ledger = std::mem::take(&mut *runtime.registers().get_mut::<Ledger>());
        (set_code(&String::from_utf8_lossy(&out.0)), ledger.told())
    }
}

/// Runs one text, a post's or an include's, construct by construct.
fn run(text: &str, line: u32, shared: &Arc<Shared>, language: &Language, runtime: &dyn Runtime, out: &mut dyn Write) {
    let known = Known { facts: &shared.facts, language };
    for step in scan::steps(text, line, &known) {
        let outcome = match step {
            Step::Text(text) => {
                out.write_all(text.as_bytes()).map_err(|_| trouble(line, "The post", "has grown beyond 8 MiB"))
            }
            Step::Run { source, line, shown } => {
                {
                    let mut ledger = runtime.registers().get_mut::<Ledger>();
                    if ledger.depth == 0 {
                        ledger.line = line;
                    }
                }
                // Whole or not at all: half of a construct is worse than none.
                let mut piece = Bounded(Vec::new());
                spend(runtime, 1)
                    .map_err(|_| "comes too late: what stands before it has taken too long".to_owned())
                    .and_then(|()| run_one(&source, language, runtime, &mut piece))
                    .map_err(|reason| trouble(line, &format!("`{shown}`"), &reason))
                    .and_then(|()| {
                        out.write_all(&piece.0).map_err(|_| trouble(line, "The post", "has grown beyond 8 MiB"))
                    })
            }
            Step::Unknown { name, line, block } => {
                if !block {
                    link_to_post(runtime, out);
                }
                Err(Trouble {
                    line,
                    message: format!("There is no Liquid tag `{name}` here"),
                    help: if block {
                        "it is a plugin's; its content is kept, without what the plugin makes of it".into()
                    } else {
                        "it is a plugin's, and readers find a link to the post in its place; write it as Markdown or HTML".into()
                    },
                })
            }
            Step::Broken { what, line } => Err(trouble(line, &format!("{what};"), "it was left out")),
        };
        if let Err(trouble) = outcome {
            runtime.registers().get_mut::<Ledger>().add(trouble);
        }
    }
}

fn run_one(
    source: &str,
    language: &Language,
    runtime: &dyn Runtime,
    out: &mut Bounded,
) -> std::result::Result<(), String> {
    let attempt = || -> Result<()> {
        for element in liquid_core::parser::parse(source, language)? {
            element.render_to(out, runtime)?;
        }
        Ok(())
    };
    // The crates behind hold assertions (numbers, dates) that input can break.
    match catch_unwind(AssertUnwindSafe(attempt)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(reason(&error.to_string())),
        Err(_) => Err("cannot be run".to_owned()),
    }
}

/// The crate's error is a report of many lines; the first and the second say what is wrong.
fn reason(report: &str) -> String {
    if report.contains("-->") {
        // The parser's drawing of the place, which tells nothing to who did not write its grammar.
        return "is not valid Liquid".to_owned();
    }
    let mut lines = report.lines().map(|line| line.trim().trim_start_matches("liquid: ").trim_start_matches("= "));
    let first = lines.find(|line| !line.is_empty()).unwrap_or("unknown error");
    format!("cannot be run ({first})")
}

fn trouble(line: u32, what: &str, reason: &str) -> Trouble {
    Trouble {
        line,
        message: format!("Liquid: {what} {reason}"),
        help: "mend it, or put the text between {% raw %} and {% endraw %} if it is meant literally".into(),
    }
}

/// Everything that runs: the standard blocks, tags and filters, and Jekyll's.
fn language(shared: &Arc<Shared>) -> Language {
    use liquid_lib::stdlib as std;
    let mut language = Language::default();
    let blocks: [(&str, Box<dyn ParseBlock>); 8] = [
        ("raw", std::RawBlock.into()),
        ("if", std::IfBlock.into()),
        ("unless", std::UnlessBlock.into()),
        ("ifchanged", std::IfChangedBlock.into()),
        ("for", std::ForBlock.into()),
        ("tablerow", std::TableRowBlock.into()),
        ("capture", std::CaptureBlock.into()),
        ("case", std::CaseBlock.into()),
    ];
    for (name, block) in blocks {
        language.blocks.register(name.to_owned(), block);
    }
    language.tags.register(scan::TICK.to_owned(), tick::Tick.into());
    for tag in ["include", "include_cached", "include_relative"] {
        language.tags.register(tag.to_owned(), include::Include { tag, shared: shared.clone() }.into());
    }
    let tags: [(&str, Box<dyn ParseTag>); 6] = [
        ("assign", std::AssignTag.into()),
        ("break", std::BreakTag.into()),
        ("continue", std::ContinueTag.into()),
        ("cycle", std::CycleTag.into()),
        ("increment", std::IncrementTag.into()),
        ("decrement", std::DecrementTag.into()),
    ];
    for (name, tag) in tags {
        language.tags.register(name.to_owned(), tag);
    }
    let standard: [Box<dyn ParseFilter>; 23] = [
        std::Capitalize.into(),
        std::Compact.into(),
        std::Downcase.into(),
        std::Escape.into(),
        std::EscapeOnce.into(),
        std::First.into(),
        std::Last.into(),
        std::Lstrip.into(),
        std::NewlineToBr.into(),
        std::Remove.into(),
        std::RemoveFirst.into(),
        std::ReplaceFirst.into(),
        std::Reverse.into(),
        std::Rstrip.into(),
        std::Size.into(),
        std::SortNatural.into(),
        std::Strip.into(),
        std::StripHtml.into(),
        std::StripNewlines.into(),
        std::Truncate.into(),
        std::TruncateWords.into(),
        std::Uniq.into(),
        std::Upcase.into(),
    ];
    for filter in standard {
        let name = filter.reflection().name().to_owned();
        language.filters.register(name, filter);
    }
    for (name, function) in filters::table() {
        let plugin = filters::Plugin { name, function: *function, shared: shared.clone() };
        language.filters.register((*name).to_owned(), plugin.into());
    }
    language
}

struct Known<'a> {
    facts: &'a Facts,
    language: &'a Language,
}

impl Knowledge for Known<'_> {
    fn has_filter(&self, name: &str) -> bool {
        self.language.filters.get(name).is_some()
    }

    fn resolve(&self, reference: Reference, argument: &str) -> Option<String> {
        let argument = argument.trim().trim_matches(['"', '\'']);
        let word = argument.split_whitespace().next().unwrap_or_default().trim_matches(['"', '\'']);
        let link = |target: String| format!("<a href=\"{target}\">{target}</a>");
        match reference {
            Reference::Post => self.facts.posts.get(argument.trim_start_matches('/')).cloned(),
            Reference::File => {
                let path = argument.trim_start_matches('/');
                if let Some(url) = self.facts.posts.get(path) {
                    return Some(url.clone());
                }
                // A page's own permalink is not known here; this is where Jekyll puts it without one.
                let page = path.strip_suffix(".md").or_else(|| path.strip_suffix(".markdown"));
                let page = page.map_or(path.to_owned(), |page| match page {
                    "index" => String::new(),
                    page => page.strip_suffix("/index").map_or(format!("{page}.html"), |folder| format!("{folder}/")),
                });
                (!path.starts_with('_') && !path.is_empty()).then(|| self.facts.relative_url(&page))
            }
            Reference::Gist => (!word.is_empty()).then(|| link(format!("https://gist.github.com/{word}"))),
            Reference::YouTube => (!word.is_empty()).then(|| link(format!("https://www.youtube.com/watch?v={word}"))),
            Reference::Vimeo => (!word.is_empty()).then(|| link(format!("https://vimeo.com/{word}"))),
        }
    }
}

/// Refuses to grow beyond [`MAX_OUTPUT`].
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(std::io::Error::other("grown beyond 8 MiB"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Writes what `{% highlight %}` enclosed as code.
fn set_code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, marked)) = rest.split_once(scan::CODE) {
        out.push_str(before);
        let (code, after) = marked.split_once(scan::CODE_END).unwrap_or((marked, ""));
        let (language, code) = code.split_once(scan::CODE_BODY).unwrap_or(("", code));
        let language = language.to_lowercase();
        // Not Markdown's fence: the code may hold one.
        out.push_str(&format!(
            "<figure class=\"highlight\"><pre><code class=\"language-{}\" data-lang=\"{}\">{}</code></pre></figure>",
            escape(&language.replace('+', "-")),
            escape(&language),
            escape(code.trim_matches(['\n', '\r']))
        ));
        rest = after;
    }
    out.push_str(rest);
    out.replace([scan::CODE_BODY, scan::CODE_END], "")
}

/// A piece of Liquid that is run many times.
struct Compiled {
    elements: Vec<Box<dyn Renderable>>,
}

/// Parses a piece of Liquid; `None` where it is none.
fn compiled(source: &str, shared: &Arc<Shared>) -> Option<Compiled> {
    let language = language(shared);
    let mut elements = Vec::new();
    for step in scan::steps(source, 1, &Known { facts: &shared.facts, language: &language }) {
        let Step::Run { source, .. } = step else { return None };
        let parsed = catch_unwind(AssertUnwindSafe(|| liquid_core::parser::parse(&source, &language)));
        elements.extend(parsed.ok()?.ok()?);
    }
    Some(Compiled { elements })
}

impl Compiled {
    fn render(&self, runtime: &dyn Runtime) -> String {
        let mut out = Bounded(Vec::new());
        for element in &self.elements {
            if element.render_to(&mut out, runtime).is_err() {
                return String::new();
            }
        }
        String::from_utf8_lossy(&out.0).into_owned()
    }
}

/// Remembers the order of each map's keys, where it is not that of the alphabet.
fn remember_order(yaml: &Yaml, depth: usize, orders: &mut HashMap<Vec<String>, Vec<String>>) {
    match yaml {
        _ if depth == 0 => {}
        Yaml::List(items) => items.iter().for_each(|item| remember_order(item, depth - 1, orders)),
        Yaml::Map(entries) => {
            let keys: Vec<String> = entries.iter().map(|(key, _)| key.clone()).collect();
            if !keys.is_sorted() {
                let mut sorted = keys.clone();
                sorted.sort();
                orders.entry(sorted).or_insert(keys);
            }
            entries.iter().for_each(|(_, value)| remember_order(value, depth - 1, orders));
        }
        _ => {}
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Front matter as Liquid sees it: with the types that Ruby's YAML gives.
pub fn to_value(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Null => Value::Nil,
        Yaml::Scalar(text, Kind::Integer) => {
            text.parse::<i64>().map_or_else(|_| Value::scalar(text.clone()), Value::scalar)
        }
        Yaml::Scalar(text, Kind::Float) => {
            text.parse::<f64>().map_or_else(|_| Value::scalar(text.clone()), Value::scalar)
        }
        Yaml::Scalar(text, Kind::Bool) => Value::scalar(text == "true"),
        Yaml::Scalar(text, Kind::Text) => match yaml.truth() {
            Some(truth) if !matches!(&**text, "true" | "false") => Value::scalar(truth),
            _ => Value::scalar(text.clone()),
        },
        Yaml::List(items) => Value::Array(items.iter().map(to_value).collect()),
        Yaml::Map(entries) => {
            Value::Object(entries.iter().map(|(key, value)| (key.clone().into(), to_value(value))).collect())
        }
    }
}
