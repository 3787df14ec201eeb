//! Which form of a phrase a number asks for: the cardinal rules of CLDR, for whole numbers.

use icu_locale_core::Locale;
use icu_plurals::{PluralCategory, PluralRules};

/// CLDR's name of the form: `zero`, `one`, `two`, `few`, `many` or `other`.
pub fn category(language: &str, n: u64) -> &'static str {
    name(rules(language).category_for(n))
}

/// The forms that a language's phrases have for whole numbers; a file of words must give each.
pub fn categories(language: &str) -> Vec<&'static str> {
    let rules = rules(language);
    // Every rule shows all its forms below 200 and at a million.
    let met: Vec<&str> = (0_u64..200).chain([1_000_000]).map(|n| name(rules.category_for(n))).collect();
    ["zero", "one", "two", "few", "many", "other"].into_iter().filter(|form| met.contains(form)).collect()
}

/// Of what is no language tag, those of English.
fn rules(language: &str) -> PluralRules {
    let locale = Locale::try_from_str(&language.replace('_', "-")).unwrap_or(icu_locale_core::locale!("en"));
    PluralRules::try_new_cardinal(locale.into()).expect("the rules of all languages are built in")
}

fn name(form: PluralCategory) -> &'static str {
    match form {
        PluralCategory::Zero => "zero",
        PluralCategory::One => "one",
        PluralCategory::Two => "two",
        PluralCategory::Few => "few",
        PluralCategory::Many => "many",
        PluralCategory::Other => "other",
    }
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
        assert_eq!(forms("lt", &[1, 2, 10, 21]), ["one", "few", "other", "one"]);
        assert_eq!(forms("no language", &[0, 1]), ["other", "one"]);
        assert_eq!(categories("ja"), ["other"]);
        assert_eq!(categories("en"), ["one", "other"]);
    }
}
