//! What the drivers say went wrong, in sentences of ours.

use super::Error;

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Error::Corrupt("the file is not a SQLite database".to_owned()),
            Some(ErrorCode::DatabaseCorrupt) => Error::Corrupt(text),
            Some(ErrorCode::ConstraintViolation) => Error::Conflict(text),
            Some(ErrorCode::DiskFull) => Error::Unavailable(
                "the disk is full\n  help: make room, then run again; what was recorded so far is kept".to_owned(),
            ),
            Some(ErrorCode::ReadOnly) => Error::Unavailable(
                "it is for reading only\n  help: this user must be allowed to write to the file and to its folder, and the file system must be mounted for writing".to_owned(),
            ),
            Some(ErrorCode::SystemIoFailure) => Error::Unavailable(format!(
                "the disk is full or does not work ({text})\n  help: make room or mend it, then run again; what was recorded so far is kept"
            )),
            Some(ErrorCode::CannotOpen) => Error::Unavailable(
                "it cannot be opened\n  help: its folder must be there, nothing else may stand in its place, and this user must be allowed to write to both".to_owned(),
            ),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Error::Unavailable("another process has kept it locked for a minute".to_owned())
            }
            _ => Error::Unavailable(text),
        }
    }
}

impl From<postgres::Error> for Error {
    fn from(error: postgres::Error) -> Self {
        // The server's own words; the driver's Display says only "db error".
        let text = error.as_db_error().map_or_else(|| with_cause(&error), |db| db.message().to_owned());
        match error.code() {
            Some(code) if *code == postgres::error::SqlState::UNIQUE_VIOLATION => Error::Conflict(text),
            _ => Error::Unavailable(text),
        }
    }
}

fn with_cause(error: &postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
