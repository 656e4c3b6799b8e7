//! When `--once` is done, and when it gives up.

use rowtide_client::Status;

/// How many failures in a row are enough.
const MOST_FAILURES: u32 = 3;

/// What a client is run for.
pub(super) struct End {
    pub(super) once: bool,
    pub(super) has_upload: bool,
}

impl End {
    /// Whether it is over, and why if that is not because everything is done.
    pub(super) fn judge(&self, status: &Status) -> Option<Result<(), String>> {
        if !self.once {
            return None;
        }
        if let Some(error) = &status.download_error
            && (status.refused || status.failures >= MOST_FAILURES)
        {
            return Some(Err(error.clone()));
        }
        if let Some(error) = &status.upload_error
            && status.upload_failures >= MOST_FAILURES
        {
            return Some(Err(format!("{} were not uploaded: {error}", writes(status.queued))));
        }
        if status.blocked_by.is_some() {
            return Some(Err(format!("{} wait in the upload queue", writes(status.queued))));
        }
        if !self.has_upload && status.waits_for_upload {
            return Some(Err(waiting(status.queued)));
        }
        if status.checkpoints == 0 || status.queued > 0 || status.uploading || status.waits_for_upload {
            return None;
        }
        Some(match status.rejected {
            0 => Ok(()),
            rejected => Err(refused(rejected)),
        })
    }
}

/// A number of writes, as a phrase.
pub(super) fn writes(number: u64) -> String {
    match number {
        1 => "1 write".to_owned(),
        _ => format!("{number} writes"),
    }
}

/// What is said of writes that nobody uploads.
pub(super) fn waiting(queued: u64) -> String {
    let (them, wait) = if queued == 1 { ("it", "waits") } else { ("them", "wait") };
    format!(
        "{} {wait} in the upload queue, and downloads wait behind {them}: say with --upload-url URL where to upload {them}",
        writes(queued)
    )
}

/// What is said of writes that the backend does not take.
pub(super) fn refused(rejected: u64) -> String {
    let (transactions, they) = match rejected {
        1 => ("1 transaction".to_owned(), "it is"),
        _ => (format!("{rejected} transactions"), "they are"),
    };
    format!("the backend has refused {transactions}: {they} in the view powersync_rejected, with the reason")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(change: impl FnOnce(&mut Status)) -> Status {
        let mut status = Status::default();
        (status.checkpoints, status.connected) = (1, true);
        change(&mut status);
        status
    }

    #[test]
    fn once_is_over_when_everything_is_done_or_nothing_will_be() {
        let end = End { once: true, has_upload: true };
        let judge = |change: fn(&mut Status)| end.judge(&status(change));
        assert_eq!(judge(|_| {}), Some(Ok(())));
        assert_eq!(judge(|status| status.checkpoints = 0), None);
        assert_eq!(judge(|status| status.queued = 1), None);
        assert_eq!(judge(|status| status.uploading = true), None);
        assert_eq!(judge(|status| status.waits_for_upload = true), None);
        let failed = |change: fn(&mut Status)| judge(change).unwrap().unwrap_err();
        assert!(
            failed(|status| status.rejected = 2).starts_with("the backend has refused 2 transactions: they are in")
        );
        let refused = |status: &mut Status| {
            (status.checkpoints, status.refused, status.download_error) = (0, true, Some("no".to_owned()));
        };
        assert_eq!(failed(refused), "no");
        let away = |status: &mut Status| {
            (status.checkpoints, status.failures, status.download_error) = (0, 3, Some("away".to_owned()));
        };
        assert_eq!(failed(away), "away");
        let upload = |status: &mut Status| {
            (status.queued, status.upload_failures, status.upload_error) = (2, 3, Some("full".to_owned()));
        };
        assert_eq!(failed(upload), "2 writes were not uploaded: full");
        let nowhere = End { once: true, has_upload: false };
        let waits = status(|status| (status.checkpoints, status.queued, status.waits_for_upload) = (0, 1, true));
        assert!(nowhere.judge(&waits).unwrap().unwrap_err().starts_with("1 write waits in the upload queue"));
        assert_eq!(End { once: false, has_upload: true }.judge(&status(refused)), None);
    }
}
