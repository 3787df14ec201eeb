//! Which form of a phrase a number asks for: the cardinal rules of CLDR 46 for whole numbers.

/// CLDR's name of the form: `zero`, `one`, `two`, `few`, `many` or `other`.
pub fn category(language: &str, n: u64) -> &'static str {
    let primary = language.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    let (ten, hundred) = (n % 10, n % 100);
    let millions = n != 0 && n.is_multiple_of(1_000_000);
    match primary.as_str() {
        // Numbers do not change words.
        "ja" | "zh" | "ko" | "vi" | "th" | "id" | "ms" | "lo" | "my" | "yo" => "other",
        "ar" | "ars" => match (n, hundred) {
            (0, _) => "zero",
            (1, _) => "one",
            (2, _) => "two",
            (_, 3..=10) => "few",
            (_, 11..=99) => "many",
            _ => "other",
        },
        "he" | "iw" => match n {
            1 => "one",
            2 => "two",
            _ => "other",
        },
        // Portugal's rule takes no zero; that of `pt` is Brazil's.
        "pt" if is_of(language, "pt") => one_or_many(n == 1, millions),
        "fr" | "pt" => one_or_many(n < 2, millions),
        "es" | "it" | "ca" => one_or_many(n == 1, millions),
        "hi" | "fa" | "bn" | "hy" | "zu" => one_or_many(n < 2, false),
        "ru" | "uk" | "be" => match (ten, hundred) {
            (1, h) if h != 11 => "one",
            (2..=4, h) if !(12..=14).contains(&h) => "few",
            _ => "many",
        },
        "sr" | "hr" | "bs" => match (ten, hundred) {
            (1, h) if h != 11 => "one",
            (2..=4, h) if !(12..=14).contains(&h) => "few",
            _ => "other",
        },
        "pl" => match (n, ten, hundred) {
            (1, ..) => "one",
            (_, 2..=4, h) if !(12..=14).contains(&h) => "few",
            _ => "many",
        },
        "cs" | "sk" => match n {
            1 => "one",
            2..=4 => "few",
            _ => "other",
        },
        "ro" => match (n, hundred) {
            (1, _) => "one",
            (0, _) | (_, 1..=19) => "few",
            _ => "other",
        },
        "sl" => match hundred {
            1 => "one",
            2 => "two",
            3 | 4 => "few",
            _ => "other",
        },
        _ if n == 1 => "one",
        _ => "other",
    }
}

fn one_or_many(is_one: bool, is_many: bool) -> &'static str {
    match (is_one, is_many) {
        (true, _) => "one",
        (_, true) => "many",
        _ => "other",
    }
}

/// Whether a language is that of a region, as in `pt-PT`.
fn is_of(language: &str, region: &str) -> bool {
    language.split(['-', '_']).skip(1).any(|part| part.eq_ignore_ascii_case(region))
}

/// The forms that a language's phrases have for whole numbers; a file of words must give each.
pub fn categories(language: &str) -> Vec<&'static str> {
    let all = ["zero", "one", "two", "few", "many", "other"];
    // Every rule shows all its forms below 200 and at a million.
    let met: Vec<&str> = (0..200).chain([1_000_000]).map(|n| category(language, n)).collect();
    all.into_iter().filter(|form| met.contains(form)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_the_forms_that_cldr_gives_them() {
        let forms =
            |language: &str, numbers: &[u64]| -> Vec<&str> { numbers.iter().map(|n| category(language, *n)).collect() };
        assert_eq!(
            forms("ar", &[0, 1, 2, 3, 10, 11, 99, 100, 101, 102, 103, 111, 200]),
            ["zero", "one", "two", "few", "few", "many", "many", "other", "other", "other", "few", "many", "other"]
        );
        assert_eq!(forms("he-IL", &[0, 1, 2, 3, 10]), ["other", "one", "two", "other", "other"]);
        assert_eq!(forms("fr", &[0, 1, 2, 1_000_000, 1_000_001]), ["one", "one", "other", "many", "other"]);
        assert_eq!(forms("es-MX", &[0, 1, 2, 2_000_000]), ["other", "one", "other", "many"]);
        assert_eq!(
            (forms("pt-BR", &[0, 1, 2]), forms("pt-PT", &[0, 1])),
            (vec!["one", "one", "other"], vec!["other", "one"])
        );
        assert_eq!(forms("zh-Hant", &[0, 1, 2]), ["other"; 3]);
        assert_eq!(forms("DE", &[0, 1, 2, 1_000_000]), ["other", "one", "other", "other"]);
        assert_eq!(
            forms("ru", &[1, 2, 5, 11, 12, 21, 22, 111]),
            ["one", "few", "many", "many", "many", "one", "few", "many"]
        );
        assert_eq!(forms("pl", &[1, 2, 5, 12, 22, 21]), ["one", "few", "many", "many", "few", "many"]);
        assert_eq!(categories("ar"), ["zero", "one", "two", "few", "many", "other"]);
        assert_eq!(categories("ja"), ["other"]);
        assert_eq!(categories("en"), ["one", "other"]);
    }
}
