"""Where Postrider means to differ from a site's generator: classes, each with its reason. docs/posts.md has the same as a table, with
examples. hugo.py and jekyll.py let nothing else pass, and fail where one of their classes is met no more."""

TRANSLATION = "one post per translation"
UNDATED = "a post is never dated by guess"
DATE = "people's dates are read"
TITLE = "a title is plain text and never empty"
ADDRESS = "an address leads to the post"
SUMMARY = "a summary is sentences of the post"
PAGE = "what needs the page stays there"
SYNTAX = "syntax is never shown"

WANTED = {
    TRANSLATION: "who reads one language has no use for the same news in three",
    UNDATED: "a reader would take it for news of every day",
    DATE: "who wrote a day or a zone meant it",
    TITLE: "lists of posts show titles as text and cannot show what has none",
    ADDRESS: "a link that browsers take for another is of no use",
    SUMMARY: "it stands alone, under the title, in a list",
    PAGE: "feed readers and mail have none of it, and take out what asks for it",
    SYNTAX: "what was written for the generator means nothing to readers",
}
