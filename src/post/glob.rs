//! Patterns of paths, as Hugo's cascades and Zola's `ignored_content` have them: `*` within a folder, `**` through
//! folders, `?`, and `{a,b}`.

/// Alternatives beyond this are not tried: a pattern of braces could name any number.
const MAX_ALTERNATIVES: usize = 64;

/// Whether a pattern matches a whole path.
pub fn matches(pattern: &str, path: &str) -> bool {
    alternatives(pattern).iter().any(|plain| matches_plain(plain.as_bytes(), path.as_bytes()))
}

/// The pattern without braces, once for each choice.
fn alternatives(pattern: &str) -> Vec<String> {
    let mut open = vec![pattern.to_owned()];
    let mut plain = Vec::new();
    while let Some(pattern) = open.pop() {
        let braces = pattern.find('}').and_then(|end| Some((pattern[..end].rfind('{')?, end)));
        match braces {
            Some((start, end)) if open.len() + plain.len() < MAX_ALTERNATIVES => {
                let choices = pattern[start + 1..end].split(',');
                open.extend(choices.map(|choice| format!("{}{choice}{}", &pattern[..start], &pattern[end + 1..])));
            }
            _ => plain.push(pattern),
        }
    }
    plain
}

/// Linear in the path for each star; goes back to the last `*` or `**` alone.
fn matches_plain(pattern: &[u8], path: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where the last star of each kind stands, and where to try it next.
    let mut near: Option<(usize, usize)> = None;
    let mut far: Option<(usize, usize)> = None;
    loop {
        let rest = &pattern[p..];
        if rest.starts_with(b"**") {
            // `**/` also stands for no folder at all.
            p += if rest.starts_with(b"**/") { 3 } else { 2 };
            (far, near) = (Some((p, t)), None);
        } else if rest.first() == Some(&b'*') {
            p += 1;
            near = Some((p, t));
        } else if t < path.len() && rest.first().is_some_and(|c| *c == path[t] || *c == b'?' && path[t] != b'/') {
            p += 1;
            t += 1;
        } else if rest.is_empty() && t == path.len() {
            return true;
        } else if let Some((after, from)) = near.filter(|(_, from)| path.get(*from).is_some_and(|c| *c != b'/')) {
            near = Some((after, from + 1));
            (p, t) = (after, from + 1);
        } else if let Some((after, from)) = far.filter(|(_, from)| *from < path.len()) {
            (far, near) = (Some((after, from + 1)), None);
            (p, t) = (after, from + 1);
        } else {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        for (pattern, path) in [
            ("/posts/**", "/posts/a/b"),
            ("/posts/*", "/posts/a"),
            ("{/a/**,/b/**}", "/b/x"),
            ("**/drafts/*.md", "drafts/x.md"),
            ("**/drafts/*.md", "a/b/drafts/x.md"),
            ("*.{md,html}", "x.html"),
            ("**", "a/b"),
            ("a?c", "abc"),
            ("/c/a**", "/c/a-post"),
            ("*a*b", "xaxxb"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in
            [("/posts/*", "/posts/a/b"), ("*.md", "a/x.md"), ("a?c", "a/c"), ("{a,b}", "c"), ("{a", "a"), ("", "a")]
        {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
        // Nobody's pattern takes forever.
        assert!(!matches(&"{a,b}*".repeat(200), &"a".repeat(10_000)));
    }
}
