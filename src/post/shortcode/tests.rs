//! What becomes of shortcodes; Hugo's beside what Hugo 0.111.3 makes of the same text.

use super::*;
use crate::post::front_matter::parse;
use proptest::prelude::*;

const POST: &str = "https://example.org/blog/a-post/";

fn run(syntax: Syntax, text: &str) -> (String, Vec<Trouble>) {
    let target = Url::parse(POST).expect("a URL");
    let front = parse("title: A\nsize: 12\nname: a_b *c* {{< d\nnested:\n  inner: hey\nlist: [a, b]\n").expect("YAML");
    let params = parse("color: blue\ndeep:\n  key: site\nsize: 13\n").expect("YAML");
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
                "<figure><img src=\"a\"></figure>\n\n <figure><img src=\"b\"></figure>",
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
        "{% end %}",
        "{% codeblock %}",
        "{% blockquote a %}",
        "``{% x %}",
        "{% note %}\n> ",
        "{{ 'a",
    ];
    for piece in pieces {
        for syntax in [Syntax::Hugo, Syntax::Zola, Syntax::Hexo] {
            let text = piece.repeat(100_000);
            let (out, troubles) = run(syntax, &text);
            assert!(out.len() <= MAX_OUTPUT && troubles.len() <= MAX_TROUBLES);
        }
    }
}
