//! How near two values are: what somebody may have meant who wrote the one for the other.

use crate::value::{Value, key_text};

/// The distance of values that have nothing to do with each other.
pub(super) const FAR: usize = 100;

/// Whether two values are the same in a key.
pub(super) fn is_equal(left: &Value, right: &Value) -> bool {
    let (left, right) = (key_text([left], false), key_text([right], false));
    left.is_some() && left == right
}

/// 0 for equal values, [`FAR`] for those that have nothing to do with each other.
pub(super) fn distance(left: &Value, right: &Value) -> usize {
    if is_equal(left, right) {
        return 0;
    }
    let (Some(left), Some(right)) = (left.as_text(), right.as_text()) else { return FAR };
    let plain = |text: &str| text.trim().to_lowercase();
    let (left, right) = (plain(&left), plain(&right));
    if left == right {
        return 1;
    }
    let edits = edits(&left, &right);
    // Of short texts, most are few edits from each other.
    if edits <= 2 && edits * 4 <= left.chars().count().max(right.chars().count()) { 1 + edits } else { FAR }
}

/// How many characters have to be added, removed or replaced; 3 for more than 2.
fn edits(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    if left.len().abs_diff(right.len()) > 2 || left.len() > 200 {
        return 3;
    }
    let mut before: Vec<usize> = (0..=right.len()).collect();
    for (row, one) in left.iter().enumerate() {
        let mut now = vec![row + 1];
        for ((other, diagonal), above) in right.iter().zip(&before).zip(before.iter().skip(1)) {
            let replaced = diagonal + usize::from(one != other);
            let last = now.last().copied().unwrap_or_default();
            now.push(replaced.min(above + 1).min(last + 1));
        }
        before = now;
    }
    before.last().copied().unwrap_or_default().min(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_been_meant_is_near() {
        let far = |left: &str, right: &str| distance(&left.into(), &right.into());
        assert_eq!(far("bob", "bob"), 0);
        assert_eq!(far("bob", "Bob"), 1);
        assert_eq!(far("bob", "bob "), 1);
        assert_eq!(distance(&Value::Integer(5), &"5".into()), 1);
        assert_eq!(distance(&Value::Integer(1), &Value::Real(1.0)), 0);
        assert_eq!(far("alice@example.com", "alice@exmaple.com"), 3);
        assert_eq!(far("bob", "bub"), FAR, "short texts differ in few characters anyway");
        assert_eq!(far("alice", "bob"), FAR);
        assert_eq!(distance(&Value::Null, &Value::Null), FAR);
    }
}
