//! Moments as exports write them. Without a zone they are in UTC, as all of those programs have them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

/// None where it cannot be told: `01/02/2024` is two days.
pub(super) fn read(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim().trim_end_matches(" UTC");
    let with_zone = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %#z"];
    let without =
        ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S"];
    DateTime::parse_from_rfc3339(text)
        .ok()
        .or_else(|| with_zone.iter().find_map(|form| DateTime::parse_from_str(text, form).ok()))
        .map(|moment| moment.to_utc())
        .or_else(|| without.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok()).map(|t| t.and_utc()))
        // With dots the day is always first.
        .or_else(|| {
            let day = ["%Y-%m-%d", "%d.%m.%Y"].iter().find_map(|form| NaiveDate::parse_from_str(text, form).ok());
            day?.and_hms_opt(0, 0, 0).map(|t| t.and_utc())
        })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn every_program_has_a_form_of_its_own() {
        let moment = Some("2024-01-02T03:04:05Z".parse().unwrap());
        for text in [
            "2024-01-02T03:04:05Z",
            "2024-01-02T04:04:05+01:00",
            "2024-01-02 03:04:05",
            "2024-01-02T03:04:05",
            "2024-01-02 04:04:05+01",
            "2024-01-02 03:04:05 +0000 UTC",
        ] {
            assert_eq!(read(text), moment, "{text}");
        }
        for day in ["2024-01-02", "02.01.2024", "2.1.2024"] {
            assert_eq!(read(day), Some("2024-01-02T00:00:00Z".parse().unwrap()));
        }
        assert_eq!(read("2024-01-02T03:04:05.678Z").map(|t| t.timestamp()), moment.map(|t| t.timestamp()));
        for text in ["", "01/02/2024", "yesterday"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
