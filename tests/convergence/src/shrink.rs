//! Finds a short session that fails: leaves out ever smaller parts of a failing one, as long as it still fails.

/// A part of `items` for which `fails` still holds and from which no single item can be left out; `fails` is asked at
/// most `attempts` times.
pub fn shrink<T: Clone>(items: &[T], attempts: usize, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut items = items.to_vec();
    let mut size = items.len().div_ceil(2).max(1);
    let mut left = attempts;
    loop {
        let before = items.len();
        let mut start = 0;
        while start < items.len() && left > 0 {
            let end = (start + size).min(items.len());
            let candidate: Vec<T> = items.iter().take(start).chain(items.iter().skip(end)).cloned().collect();
            left -= 1;
            if fails(&candidate) { items = candidate } else { start = end }
        }
        if left == 0 || (size == 1 && items.len() == before) {
            return items;
        }
        if items.len() == before {
            size = size.div_ceil(2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_stays() {
        let all: Vec<u32> = (0..100).collect();
        let needed = [3, 50, 97];
        let found = shrink(&all, 10_000, |part| needed.iter().all(|number| part.contains(number)));
        assert_eq!(found, needed);
    }

    #[test]
    fn it_gives_up_after_enough_attempts() {
        let mut attempts = 0;
        let found = shrink(&[1, 2, 3, 4], 2, |_| {
            attempts += 1;
            false
        });
        assert_eq!((found.len(), attempts), (4, 2));
    }
}
