//! What becomes of shortcodes; Hugo's beside what Hugo 0.111.3 makes of the same text.

use super::*;
use crate::post::front_matter::parse_file;
use proptest::prelude::*;

const POST: &str = "https://example.org/blog/a-post/";

fn run(syntax: Syntax, text: &str) -> (String, Vec<Trouble>) {
    let target = Url::parse(POST).expect("a URL");
    let front =
        parse_file("title: A\nsize: 12\nname: a_b *c* {{< d\nnested:\n  inner: hey\nlist: [a, b]\n").expect("YAML");
    let params = parse_file("color: blue\ndeep:\n  key: site\nsize: 13\n").expect("YAML");
    let page = |reference: &str| match reference.trim_start_matches(['@', '/']) {
        "other" | "posts/other.md" | "posts/other" | "other.md" => Some("/blog/other/".to_owned()),
        "under_score.md" => Some("/blog/under_score_(x)/".to_owned()),
        _ => None,
    };
    let title = |reference: &str| page(reference).map(|_| "The *other* one".to_owned());
    expand(
        text,
        10,
        syntax,
        &Facts { target: &target, front: &front, params: &params, resolve: &page, title_of: &title },
    )
}

/// Each text, what it becomes, and what is said about it.
fn check(syntax: Syntax, table: &[(&str, &str, &[&str])]) {
    for (text, expected, said) in table {
        let (found, troubles) = run(syntax, text);
        assert_eq!(&found, expected, "of {text:?}");
        let troubles: Vec<String> = troubles.iter().map(|t| format!("{}: {}", t.line, t.message)).collect();
        assert_eq!(&troubles, said, "of {text:?}");
    }
}

#[test]
fn hugo_s_syntax_is_read() {
    check(
        Syntax::Hugo,
        &[
            ("no {{ x }} {% y %} here", "no {{ x }} {% y %} here", &[]),
            ("a {{< param size >}} b", "a 12 b", &[]),
            ("a{{<param \"size\">}}b{{%  param  `size`  %}}c", "a12b12c", &[]),
            ("{{< param\n  nested.inner\n>}} {{< param color />}} {{< param DEEP.key >}}", "hey blue site", &[]),
            ("{{< param name = \"list\" >}}", "&#91;a b&#93;", &[]),
            ("{{< param name >}}", "a_b &#42;c&#42; &#123;&#123;&lt; d", &[]),
            ("`{{< param name >}}`", "`a_b *c* { {< d`", &[]),
            ("```\n{{< param size >}}\n```", "```\n12\n```", &[]),
            ("x {{< param no >}}", "x ", &["10: There is no parameter `no` here"]),
            // Escapes.
            ("{{</* param size */>}}", "{{< param size >}}", &[]),
            ("{{%/* x \"y\" */%}}z{{%/* /x */%}}", "{{% x \"y\" %}}z{{% /x %}}", &[]),
            ("{{</*b*/>}} `{{</*b*/>}}`", "{{&lt;b>}} `{{<b>}}`", &[]),
            ("{{</* show >}} text */>}} after", "{{< show >}} text >}} after", &[]),
            ("a{{</* */>}}b", "ab", &[]),
            // References.
            (
                "[x]({{< ref \"other\" >}}) [y]({{% relref \"posts/other.md#a\" %}})",
                "[x](/blog/other/) [y](/blog/other/#a)",
                &[],
            ),
            ("[x]({{< relref path=\"under_score.md\" lang=\"en\" >}})", "[x](/blog/under_score_%28x%29/)", &[]),
            (
                "{{< relref \"#a\" >}} {{< ref \"https://a.b/c\" >}}",
                "https://example.org/blog/a-post/#a https://a.b/c",
                &[],
            ),
            (
                "\n[x]({{< ref \"gone.md\" >}})",
                "\n[x](https://example.org/blog/a-post/)",
                &["11: There is no post or page `gone.md` here"],
            ),
        ],
    );
}

#[test]
fn hugo_s_own_shortcodes_become_html() {
    check(
        Syntax::Hugo,
        &[
            ("{{< figure src=\"/a.png\" >}}", "<figure><img src=\"/a.png\"></figure>", &[]),
            (
                "{{< figure src=\"a b.png\" link=\"https://x.org/?a=1&b=2\" target=\"_blank\" rel=\"noopener\" alt=\"Al \\\"t\" \
                 caption=\"A **bold** [l](https://x)\" title=\"Ti & t\" attr=\"By *me*\" attrlink=\"https://me\" class=\"c\" \
                 width=\"10\" height=\"20\" >}}",
                "<figure class=\"c\"><a href=\"https://x.org/?a=1&amp;b=2\" target=\"_blank\" rel=\"noopener\">\
                 <img src=\"a%20b.png\" alt=\"Al &quot;t\" width=\"10\" height=\"20\"></a><figcaption><h4>Ti &amp; t</h4>\
                 <p>A <strong>bold</strong> <a href=\"https://x\">l</a> <a href=\"https://me\">By <em>me</em></a></p>\
                 </figcaption></figure>",
                &[],
            ),
            (
                "{{% figure src=\"a.png\" caption=\"a \\\\* b\" %}}",
                "<figure><img src=\"a.png\" alt=\"a * b\"><figcaption><p>a &#42; b</p></figcaption></figure>",
                &[],
            ),
            ("a\n\n{{< figure src=\"a.png\" >}}\n*b*", "a\n\n<figure><img src=\"a.png\"></figure>\n\n*b*", &[]),
            ("> - {{< figure src=\"a.png\" >}}\n>   b", "> - <figure><img src=\"a.png\"></figure>\n>\n>   b", &[]),
            (
                "{{< figure src=\"a\" >}} {{< figure src=\"b\" >}}",
                "<figure><img src=\"a\"></figure>\n\n<figure><img src=\"b\"></figure>",
                &[],
            ),
            ("|a|\n|-|\n|{{< figure src=\"a|b\" >}}|", "|a|\n|-|\n|<figure><img src=\"a%7Cb\"></figure>|", &[]),
            (
                "{{< highlight go \"linenos=table\" >}}\na < b\n\n\tc*d* {{</* x */>}}\n{{< /highlight >}}",
                "<pre><code class=\"language-go\">a &lt; b&#10;&#10;\tc&#42;d&#42; &#123;&#123;&lt; x &gt;}}</code></pre>",
                &[],
            ),
            (
                "{{% highlight html %}}<b>{{% /highlight %}}",
                "<pre><code class=\"language-html\">&lt;b&gt;</code></pre>",
                &[],
            ),
            (
                "{{< youtube w7Ft2ymGmfc >}}",
                "<p><iframe src=\"https://www.youtube.com/embed/w7Ft2ymGmfc\" title=\"YouTube video\"></iframe></p>",
                &[],
            ),
            (
                "{{< youtube id=\"w7Ft2\" title=\"A \\\"T\\\"\" autoplay=true >}}",
                "<p><iframe src=\"https://www.youtube.com/embed/w7Ft2\" title=\"A &quot;T&quot;\"></iframe></p>",
                &[],
            ),
            (
                "{{< vimeo 146022717 >}}",
                "<p><iframe src=\"https://player.vimeo.com/video/146022717\" title=\"Vimeo video\"></iframe></p>",
                &[],
            ),
            (
                "{{< gist ada 50a7 \"a file.md\" >}}",
                "<p><a href=\"https://gist.github.com/ada/50a7#file-a-file-md\">a file.md</a></p>",
                &[],
            ),
            (
                "{{< tweet user=\"ada\" id=\"14\" >}}\n\n{{< x 15 >}}",
                "<p><a href=\"https://twitter.com/ada/status/14\">Post by @ada on twitter.com</a></p>\n\n\
                 <p><a href=\"https://x.com/i/status/15\">Post on x.com</a></p>",
                &[],
            ),
            (
                "{{< instagram BWNjjyYFxVx >}}",
                "<p><a href=\"https://www.instagram.com/p/BWNjjyYFxVx/\">Instagram post</a></p>",
                &[],
            ),
            (
                "{{< details summary=\"More *of* it\" open=true >}}\nIt is **so**.\n{{< /details >}}\nafter",
                "<details open><summary>More <em>of</em> it</summary>\n\nIt is **so**.\n\n</details>\n\nafter",
                &[],
            ),
            ("a {{% comment %}} b {{< param size >}} {{% /comment %}}c", "a c", &[]),
            ("{{< qr text=\"https://x.org\" />}}", "<a href=\"https://x.org\">https://x.org</a>", &[]),
            ("{{< rawhtml >}}\n<b>*x*</b>\n\n<i>y</i>\n{{< /rawhtml >}}", "<div><b>*x*</b> <i>y</i></div>", &[]),
            ("a {{< rawhtml >}}<b id=\"_x_\">*x*</b>{{< /rawhtml >}}", "a <b id=\"_x_\">&#42;x&#42;</b>", &[]),
        ],
    );
}

#[test]
fn hugo_s_unknown_shortcodes_leave_their_body_or_a_link() {
    let link = "<a href=\"https://example.org/blog/a-post/\">https://example.org/blog/a-post/</a>";
    check(
        Syntax::Hugo,
        &[
            (
                "a\n{{< plotly json=\"x.json\" >}} {{% other %}} {{< plotly >}}\n{{< plotly >}}",
                &format!("a\n{link}  \n"),
                &["11: There is no shortcode `plotly` here (3 times)", "11: There is no shortcode `other` here"],
            ),
            (
                "{{< toggled \"T\" >}}a *b* {{< param size >}}{{< /toggled >}}c",
                "a *b* 12c",
                &["10: There is no shortcode `toggled` here"],
            ),
            ("{{< notice tip >}}a *b*{{< /notice >}}", "a *b*", &[]),
            (
                "{{< a >}}{{< b >}}{{< /a >}}",
                link,
                &["10: There is no shortcode `a` here", "10: There is no shortcode `b` here"],
            ),
            (
                "<img src=\"{{< cdn \"x\" >}}\"> [a]({{< cdn \"y\" >}})",
                "<img src=\"https://example.org/blog/a-post/\"> [a](https://example.org/blog/a-post/)",
                &["10: There is no shortcode `cdn` here (2 times)"],
            ),
            ("{{< t.inline >}}{{ now }}{{< /t.inline >}}", link, &["10: There is no shortcode `t.inline` here"]),
            ("{{< imgtxt src=\"a.png\" alt=\"b\" >}}", "<figure><img src=\"a.png\" alt=\"b\"></figure>", &[]),
            ("a {{< /b >}}c", "a c", &["10: `{{< /b >}}` closes nothing"]),
            // Broken ones.
            ("a {{< b", "a  b", &["10: A shortcode is not closed or not complete"]),
            ("a {{< b \"c >}} d", "a  d", &["10: The shortcode `b` is not closed or not complete"]),
            ("{{{{< b {<", "{&#123; b {<", &["10: A shortcode is not closed or not complete"]),
        ],
    );
}

#[test]
fn zola_s_syntax_is_read() {
    let link = "<a href=\"https://example.org/blog/a-post/\">https://example.org/blog/a-post/</a>";
    let youtube = "<p><iframe src=\"https://www.youtube.com/embed/dQ_w\" title=\"YouTube video\"></iframe></p>";
    check(
        Syntax::Zola,
        &[
            ("a {{ b }} {b} {{ c.d | e }}", "a {{ b }} {b} {{ c.d | e }}", &[]),
            ("{{ youtube(id=\"dQ_w\", autoplay=true) }}", youtube, &[]),
            ("{{youtube(\n  id = 'dQ_w',\n  list=[1, 2.5, [\"x\"],],\n  n=-1)}}", youtube, &[]),
            ("> {{ youtube(id=`dQ_w`) }}", &format!("> {youtube}"), &[]),
            (
                "{{ vimeo(id=\"1\") }}",
                "<p><iframe src=\"https://player.vimeo.com/video/1\" title=\"Vimeo video\"></iframe></p>",
                &[],
            ),
            (
                "{{ streamable(id=\"92ok4\") }}",
                "<p><a href=\"https://streamable.com/92ok4\">Video on Streamable</a></p>",
                &[],
            ),
            (
                "{{ gist(url=\"https://gist.github.com/ada/50a7\", file=\"x.rs\") }} {{ gist(url=\"https://gist.github.com/ada/50a7\") }}",
                "<p><a href=\"https://gist.github.com/ada/50a7#file-x-rs\">x.rs</a></p>\n\n\
                 <p><a href=\"https://gist.github.com/ada/50a7\">Gist ada/50a7</a></p>",
                &[],
            ),
            (
                "{{ img(path=\"a.png\", alt=\"b\", caption=\"c\") }}",
                "<figure><img src=\"a.png\" alt=\"b\"><figcaption><p>c</p></figcaption></figure>",
                &[],
            ),
            (
                "{% quote(author=\"Ada\") %}\na *b*\n{% end %}\nc",
                "<blockquote>\n\na *b*\n\n<footer><strong>Ada</strong></footer></blockquote>\n\nc",
                &[],
            ),
            (
                "{% note(title=\"x\") %}a {{ youtube(id=\"dQ_w\") }}{% end %}",
                &format!("a {}", &youtube[3..youtube.len() - 4]),
                &[],
            ),
            ("{% details(summary=\"S\") %}b{% end %}", "<details><summary>S</summary>\n\nb\n\n</details>", &[]),
            (
                "{% mermaid() %}\na --> b\n{% end %}",
                "<pre><code class=\"language-mermaid\">a -&#45;&gt; b</code></pre>",
                &[],
            ),
            // Escapes.
            ("{{/* youtube(id=\"x\") */}} `{{/* a() */}}`", "{{ youtube(id=\"x\") }} `{{ a() }}`", &[]),
            (
                "{%/* quote(a=1) */%} {{ youtube(id=\"x\") }} {%/* end */%} {% note() %}b{% end %}",
                "{% quote(a=1) %} {{ youtube(id=\"x\") }} {% end %} b",
                &[],
            ),
            // Unknown and broken ones.
            (
                "{{ basic() }}{{ pirate(name=\"Bob\") }}",
                link,
                &["10: There is no shortcode `basic` here", "10: There is no shortcode `pirate` here"],
            ),
            ("{% own() %}a *b*{% end %}", "a *b*", &["10: There is no shortcode `own` here"]),
            ("a {% end %}b", "a b", &["10: `{% end %}` closes nothing"]),
            (
                "\n{{ youtube(id=\"x) }}",
                "\n&#123;{ youtube(id=\"x) }}",
                &["11: `{{ youtube` begins no complete shortcode"],
            ),
            ("{% if x %}", "&#123;% if x %}", &["10: `{% if` begins no complete shortcode"]),
            (
                "`{% if x %}` `{{ get(a) }}`\n\n    {% end %} {% macro() %}",
                "`{% if x %}` `{{ get(a) }}`\n\n    {% end %} {% macro() %}",
                &[],
            ),
        ],
    );
}

#[test]
fn zola_s_links_lead_to_pages() {
    check(
        Syntax::Zola,
        &[
            ("[a](@/other) ![b](<@/posts/other.md#c> \"t\")", "[a](/blog/other/) ![b](</blog/other/#c> \"t\")", &[]),
            (
                "[a][b]\n\n[b]: @/posts/other.md#c\n[d]:  <@/other>",
                "[a][b]\n\n[b]: /blog/other/#c\n[d]:  </blog/other/>",
                &[],
            ),
            ("see <@/other#c>.", "see <a href=\"/blog/other/#c\">The &#42;other&#42; one</a>.", &[]),
            (
                "<a href=\"@/other\">x</a> [a](@/under_score.md)",
                "<a href=\"/blog/other/\">x</a> [a](/blog/under_score_%28x%29/)",
                &[],
            ),
            ("`[a](@/other)` a@/other (@/other)", "`[a](@/other)` a@/other (@/other)", &[]),
            (
                "[a](@/gone.md#x)\n[b](@/gone.md)",
                "[a](https://example.org/blog/a-post/)\n[b](https://example.org/blog/a-post/)",
                &["10: There is no post or page `@/gone.md` here (2 times)"],
            ),
        ],
    );
}

#[test]
fn hexo_s_tags_become_html() {
    let asset = "https://example.org/blog/a-post/a%20b.png";
    check(
        Syntax::Hexo,
        &[
            ("{% blockquote %}\na *b*\n{% endblockquote %}\nc", "<blockquote>\n\na *b*\n\n</blockquote>\n\nc", &[]),
            (
                "{% blockquote David Levithan, Wide Awake %}\na\n{% endblockquote %}",
                "<blockquote>\n\na\n\n<footer><strong>David Levithan</strong> <cite>Wide Awake</cite></footer></blockquote>",
                &[],
            ),
            (
                "{% quote Seth Godin http://x.org/a/ Welcome to it %}a{% endquote %}",
                "<blockquote>\n\na\n\n<footer><strong>Seth Godin</strong> <cite><a href=\"http://x.org/a/\">Welcome to it</a></cite>\
                 </footer></blockquote>",
                &[],
            ),
            (
                "{% blockquote @ada https://x.org/a %}a{% endblockquote %}",
                "<blockquote>\n\na\n\n<footer><strong>@ada</strong> <cite><a href=\"https://x.org/a\">x.org/a</a></cite></footer>\
                 </blockquote>",
                &[],
            ),
            (
                "{% pullquote right %}a{% endpullquote %}",
                "<blockquote class=\"pullquote right\">\n\na\n\n</blockquote>",
                &[],
            ),
            (
                "{% codeblock lang:js mark:2,5 %}\na < `{{ b }}` {% c %}\n\n{% endcodeblock %}",
                "<pre><code class=\"language-js\">a &lt; &#96;&#123;&#123; b }}&#96; &#123;% c %}</code></pre>",
                &[],
            ),
            (
                "{% code The title https://x.org/c the link lang:rb %}a{% endcode %}",
                "<figure><figcaption>The title <a href=\"https://x.org/c\">the link</a></figcaption>\
                 <pre><code class=\"language-rb\">a</code></pre></figure>",
                &[],
            ),
            ("{% jsfiddle ccWP7 %}", "<p><a href=\"https://jsfiddle.net/ccWP7/\">JSFiddle ccWP7</a></p>", &[]),
            ("{% gist 50a7 x.js %}", "<p><a href=\"https://gist.github.com/50a7#file-x-js\">x.js</a></p>", &[]),
            ("{% iframe https://x.org/a 100% 50 %}", "<p><iframe src=\"https://x.org/a\"></iframe></p>", &[]),
            (
                "{% youtube lJIrF4YjHfQ %}",
                "<p><iframe src=\"https://www.youtube.com/embed/lJIrF4YjHfQ\" title=\"YouTube video\"></iframe></p>",
                &[],
            ),
            (
                "{% vimeo 82090131 %}",
                "<p><iframe src=\"https://player.vimeo.com/video/82090131\" title=\"Vimeo video\"></iframe></p>",
                &[],
            ),
            (
                "{% img left big /a.png 10 20 \"The t\" \"An a\" %} {% img /a.png 'My \"t\"' %}",
                "<img src=\"/a.png\" alt=\"An a\" class=\"left big\" title=\"The t\" width=\"10\" height=\"20\"> \
                 <img src=\"/a.png\" title=\"My &quot;t&quot;\">",
                &[],
            ),
            ("{% img /a.png '\"The t\" \"An a\"' %}", "<p><img src=\"/a.png\" alt=\"An a\" title=\"The t\"></p>", &[]),
            (
                "{% link the text https://x.org true a title %}",
                "<a href=\"https://x.org\" title=\"a title\">the text</a>",
                &[],
            ),
            (
                "{% include_code A test lang:js test.js %}",
                "<p><a href=\"https://example.org/blog/a-post/\">A test</a></p>",
                &[],
            ),
            // Assets and posts.
            (
                "{% asset_img \"a b.png\" %} {% asset_img c a.png 5 'x' 'y' %}",
                &format!(
                    "<img src=\"{asset}\"> <img src=\"https://example.org/blog/a-post/a.png\" alt=\"y\" class=\"c\" title=\"x\" width=\"5\">"
                ),
                &[],
            ),
            ("[x]({% asset_path 'a b.png' %})", &format!("[x]({asset})"), &[]),
            (
                "{% asset_link a.pdf The *paper* false %}",
                "<a href=\"https://example.org/blog/a-post/a.pdf\">The &#42;paper&#42;</a>",
                &[],
            ),
            ("[x]({% post_path other %})", "[x](/blog/other/)", &[]),
            (
                "{% post_link other %}",
                "<a href=\"/blog/other/\" title=\"The *other* one\">The &#42;other&#42; one</a>",
                &[],
            ),
            (
                "{% post_link other 'my title' true %}",
                "<a href=\"/blog/other/\" title=\"The *other* one\">my title</a>",
                &[],
            ),
            (
                "\n{% post_link gone it %}",
                "\n<a href=\"https://example.org/blog/a-post/\">it</a>",
                &["11: There is no post or page `gone` here"],
            ),
        ],
    );
}

#[test]
fn hexo_s_syntax_is_read() {
    let link = "<a href=\"https://example.org/blog/a-post/\">https://example.org/blog/a-post/</a>";
    check(
        Syntax::Hexo,
        &[
            (
                "`{% x %}` {a} `{{ y }}`\n\n```\n{% z %}\n```\n<code>{% x %} {{ y }}</code>",
                "`{% x %}` {a} `{{ y }}`\n\n```\n{% z %}\n```\n<code>{% x %} {{ y }}</code>",
                &[],
            ),
            ("{% raw %}{{ a }} <b>{% c %}</b>{% endraw %} d", "{{ a }} <b>{% c %}</b> d", &[]),
            ("`{% raw %}{{ a }}{% endraw %}`", "`{{ a }}`", &[]),
            ("{%- note info -%}\na *b*\n{%- endnote -%}", "\na *b*\n", &[]),
            ("a{# b {{ c #}d\n## e {#id}", "ad\n## e {#id}", &[]),
            ("{{ 'a{{' }} {{ \"b\" | safe }} {{ 3 }} {{ size }}", "a&#123;&#123; b 3 12", &[]),
            ("a {{ site.x }} b", "a  b", &["10: `{{ site.x }}` is nothing that is known here"]),
            ("a\n{% own %} {% own x %}", &format!("a\n{link} "), &["11: There is no tag `own` here (2 times)"]),
            (
                "{% tabs One %}\n<!-- tab a -->\nb\n<!-- endtab -->\n{% endtabs %}",
                "\n<!-- tab a -->\nb\n<!-- endtab -->\n",
                &[],
            ),
            ("{% katex %}a^b{% endkatex %}", "a^b", &["10: There is no tag `katex` here"]),
            ("a {% b", "a  b", &["10: `{%` has no end"]),
            ("a {{ b {% note %}", &format!("a  b {link}"), &["10: `{{` has no end", "10: There is no tag `note` here"]),
            ("{% %}a{% endx %}", "a", &["10: `{% %}` names no tag", "10: `{% endx %}` closes nothing"]),
        ],
    );
}

#[test]
fn markup_keeps_to_its_place() {
    let figure = "<figure><img src=\"a\"></figure>";
    check(
        Syntax::Hugo,
        &[
            // Text on the same line is a paragraph of its own.
            ("a *b* {{< figure src=\"a\" >}}     c", &format!("a *b* \n\n{figure}\n\nc"), &[]),
            ("> a {{< figure src=\"a\" >}} c", &format!("> a \n>\n> {figure}\n>\n> c"), &[]),
            ("1. a {{< figure src=\"a\" >}}\n   c", &format!("1. a \n\n   {figure}\n\n   c"), &[]),
            // Headings, cells, links and tags are not parted.
            ("## a {{< figure src=\"a\" >}} c", &format!("## a {figure} c"), &[]),
            ("[{{< figure src=\"a\" >}}](b)", &format!("[{figure}](b)"), &[]),
            ("<div>{{< figure src=\"a\" >}}</div>", &format!("<div>{figure}</div>"), &[]),
            (
                "- {{< details summary=\"s\" >}}\n  a\n\n  - b\n  {{< /details >}}\n- c",
                "- <details><summary>s</summary>\n\n  a\n\n  - b\n\n  </details>\n\n- c",
                &[],
            ),
            (
                "- a\n\n  {{< highlight go >}}\n  if a {\n    b\n\n  }\n  {{< /highlight >}}\n  c",
                "- a\n\n  <pre><code class=\"language-go\">if a &#123;&#10;  b&#10;&#10;}</code></pre>\n\n  c",
                &[],
            ),
            ("`{{< gist ada b >}}` `{{< youtube x >}}`", "`Gist ada/b` `…`", &[]),
            ("```\n{{< highlight go >}}a < b{{< /highlight >}}\n```", "```\na < b\n```", &[]),
            (
                "`{{< own >}}` {{< /x >}}",
                "`…` ",
                &["10: There is no shortcode `own` here", "10: `{{< /x >}}` closes nothing"],
            ),
            (
                "{{< highlight go >}}",
                "<a href=\"https://example.org/blog/a-post/\">https://example.org/blog/a-post/</a>",
                &["10: `highlight` is opened and never closed"],
            ),
        ],
    );
    check(
        Syntax::Hexo,
        &[
            ("{% asset_img a.png %}\n*b*", "<p><img src=\"https://example.org/blog/a-post/a.png\"></p>\n\n*b*", &[]),
            ("a {% img /a.png %} *b*", "a <img src=\"/a.png\"> *b*", &[]),
        ],
    );
}

fn without_escapes(text: &str) -> bool {
    !text.contains("/*") && !text.contains("raw")
}

proptest! {
    #[test]
    fn hugo_leaves_nothing(text in "(\\{\\{<|\\{\\{%|>\\}\\}|%\\}\\}|/|\"|`|=| |\n|\\{|<|>|%|\\\\|a|figure|param name|highlight|    |é){0,40}") {
        let (out, _) = run(Syntax::Hugo, &text);
        if without_escapes(&text) {
            prop_assert!(!out.contains("{{<") && !out.contains("{{%"), "{text:?} became {out:?}");
        }
    }

    #[test]
    fn zola_leaves_nothing(text in "(\\{\\{|\\{%|\\}\\}|%\\}|/\\*|\\(|\\)|\"|'|=| |\n|\\{|<|>|,|\\[|a|youtube\\(id=\"x\"\\)|end|note\\(\\)|quote\\(\\)|@/a|é){0,40}") {
        let (out, _) = run(Syntax::Zola, &text);
        // Four blanks make code, in which Zola leaves what is no shortcode.
        if without_escapes(&text) && !text.contains("    ") {
            prop_assert!(!out.contains("{%"), "{text:?} became {out:?}");
        }
    }

    #[test]
    fn hexo_leaves_nothing(text in "(\\{\\{|\\{%|\\}\\}|%\\}|#|-|\"|'| |\n|\\{|<|>|%|a|note|endnote|quote|endquote|img|post_link|codeblock|endcodeblock|é){0,40}") {
        let (out, _) = run(Syntax::Hexo, &text);
        // Four blanks make code.
        if !text.contains("    ") {
            prop_assert!(!out.contains("{%") && !out.contains("{{"), "{text:?} became {out:?}");
        }
    }

    #[test]
    fn any_text_is_expanded(text in "\\PC{0,60}", syntax in prop::sample::select(vec![Syntax::Hugo, Syntax::Zola, Syntax::Hexo])) {
        run(syntax, &text);
    }
}

#[test]
fn hostile_text_ends_soon() {
    let pieces = [
        "{{<",
        "{{< a >}}",
        "{{< a >}}{{< /a >}}",
        "{{< /a >}}",
        "{{% x",
        "{{< a \"",
        "{{< a `",
        "{{< a \" x\" \" ",
        "{{</*",
        "{{</* a */>}}",
        "{{< a b=",
        "`{{< a >}}",
        "{{< details >}}",
        "> {{< figure src=a >}}\n",
        "- ",
        "{{< highlight go >}}&",
        "{{< param name >}}",
        "{% x",
        "{% x %}",
        "{% x() %}",
        "{{ x() }}",
        "{{ x(a=\"",
        "{{ x(a=[[",
        "{%/* a() */%}",
        "{% endx %}",
        "{% raw %}",
        "{{ ",
        "{# ",
        "[a](@/b",
        "{{ \"a",
        "{{ '\\' ",
        "<code",
        "<code>{{ x",
        "{% x \"\\\"",
        "{{< a \"\\\"",
        "]: @/a ",
        "{{< a>}}{ ",
        "\n- {{< a >}}x{{< /a >}}",
        "{% end %}",
        "{% codeblock %}",
        "{% blockquote a %}",
        "``{% x %}",
        "{% note %}\n> ",
        "{{ 'a",
    ];
    // What each of them lacks comes at the very end, or never.
    for (piece, end) in pieces.iter().flat_map(|piece| [(piece, ""), (piece, "\"'`>}}%}}}}%}#}*/}}*/%})]</code>")]) {
        for syntax in [Syntax::Hugo, Syntax::Zola, Syntax::Hexo] {
            let text = piece.repeat(10_000) + end;
            let (out, troubles) = run(syntax, &text);
            assert!(out.len() <= MAX_OUTPUT && troubles.len() <= MAX_TROUBLES);
        }
    }
}
