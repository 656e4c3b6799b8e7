//! Sorting in place.

use core::cmp::Ordering;
use core::mem;

/// Sorts `items`; equal ones end in any order. Takes no memory, and time in proportion to *n* log *n* at worst.
///
/// A heap sort. For the lists that are sorted here it is about as fast as the sort of the standard library, which has
/// twenty times as much code for each type.
pub fn sort_by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    for root in (0..items.len() / 2).rev() {
        sink(items, root, &compare);
    }
    let mut heap = items;
    while let [largest, between @ .., last] = heap {
        mem::swap(largest, last);
        // Without the last one, which has its place now.
        let length = between.len().saturating_add(1);
        heap = heap.get_mut(..length).unwrap_or_default();
        sink(heap, 0, &compare);
    }
}

/// Lets the item at `root` sink until none below it is greater.
fn sink<T>(heap: &mut [T], root: usize, compare: &impl Fn(&T, &T) -> Ordering) {
    let mut position = root;
    loop {
        let left = position.saturating_mul(2).saturating_add(1);
        let below = heap.get(left..).unwrap_or_default();
        let greater = match below {
            [left_item, right_item, ..] if compare(left_item, right_item).is_lt() => left.saturating_add(1),
            _ => left,
        };
        let Ok([item, child]) = heap.get_disjoint_mut([position, greater]) else { return };
        if compare(item, child).is_ge() {
            return;
        }
        mem::swap(item, child);
        position = greater;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn the_result_is_that_of_the_standard_library(mut items in proptest::collection::vec(-20_i32..20, 0..100)) {
            let mut expected = items.clone();
            expected.sort_unstable();
            sort_by(&mut items, Ord::cmp);
            prop_assert_eq!(items, expected);
        }
    }

    #[test]
    fn no_order_takes_long() {
        const LENGTH: usize = 100_000;
        let ascending: Vec<usize> = (0..LENGTH).collect();
        let descending: Vec<usize> = (0..LENGTH).rev().collect();
        let comparisons = core::cell::Cell::new(0_usize);
        for mut items in [ascending.clone(), descending, std::vec![7; LENGTH]] {
            comparisons.set(0);
            sort_by(&mut items, |a, b| {
                comparisons.set(comparisons.get() + 1);
                a.cmp(b)
            });
            assert!(comparisons.get() < 2 * LENGTH * 17);
            assert!(items.is_sorted());
        }
    }
}
