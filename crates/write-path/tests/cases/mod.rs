//! Cases that are the same for all databases. Each needs a `support` module of its database, and runs as a test there.

pub(crate) mod conflicts;
pub(crate) mod dead_letters;
pub(crate) mod exactly_once;
pub(crate) mod random;
pub(crate) mod requests;
pub(crate) mod results;

/// Makes a test of a case, with attributes.
macro_rules! test {
    (($($attribute:tt)*), $module:ident, $name:ident) => {
        #[test]
        $(# $attribute)*
        fn $name() {
            crate::cases::$module::$name();
        }
    };
}
pub(crate) use test;

/// Makes tests of cases, all with the same attributes.
macro_rules! tests {
    ($attributes:tt $($module:ident: $($name:ident),+;)+) => {$(
        mod $module {
            $(crate::cases::test! { $attributes, $module, $name })+
        }
    )+};
}
pub(crate) use tests;

/// All cases, with attributes.
macro_rules! all_tests {
    ($($attribute:tt)*) => {
        crate::cases::tests! {
            ($($attribute)*)
            conflicts: the_last_write_wins, columns_that_have_changed_stay_and_are_reported,
                a_transaction_with_a_conflict_is_refused;
            dead_letters: a_refused_transaction_is_kept_as_it_was_sent,
                a_letter_is_replayed_once_as_the_user_who_sent_it, concurrent_replays_apply_once,
                a_letter_that_somebody_else_has_closed_meanwhile_is_not_applied, letters_are_listed_and_discarded,
                of_a_token_only_the_claims_that_rules_use_are_kept, what_cannot_be_kept_is_not_refused;
            exactly_once: a_repeated_transaction_gives_its_result_and_runs_once, a_fatal_result_is_repeated_too,
                another_transaction_under_the_same_key_is_refused, concurrent_repeats_run_once,
                results_are_kept_for_a_thousand_transactions_and_thirty_days, a_client_keeps_its_order,
                rules_are_not_asked_again;
            random: rows_are_those_of_the_model;
            results: the_rest_is_not_attempted, the_rest_is_applied_if_the_server_says_so,
                the_app_handles_errors_if_the_rule_says_so, an_error_of_the_commit_is_handled_as_the_rules_say,
                results_are_read_back_as_they_were_written, unknown_members_are_ignored_and_null_is_as_absent,
                a_body_that_is_no_upload_changes_nothing;
        }
    };
}
pub(crate) use all_tests;
