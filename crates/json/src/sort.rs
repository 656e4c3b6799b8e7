//! Sorting with little code.

use core::cmp::Ordering;
use core::mem;

/// Sorts a list in place; equal elements may change places.
///
/// A heapsort: its code is a tenth of that of `sort_unstable`, which is compiled for each type of element. It needs up to
/// twice as many comparisons. Meant for lists that are sorted rarely, or whose elements cost much more than comparing them.
pub fn sort_by<T>(list: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let length = list.len();
    for root in (0..length / 2).rev() {
        sift_down(list, root, &compare);
    }
    for end in (1..length).rev() {
        let Some(heap) = list.get_mut(..=end) else { return };
        if let [first, .., last] = heap {
            mem::swap(first, last);
        }
        let Some(heap) = list.get_mut(..end) else { return };
        sift_down(heap, 0, &compare);
    }
}

/// Lets the element at `parent` sink to its place in the heap.
fn sift_down<T>(heap: &mut [T], mut parent: usize, compare: &impl Fn(&T, &T) -> Ordering) {
    loop {
        let mut child = 2 * parent + 1;
        if let [left, right, ..] = heap.get(child..).unwrap_or_default()
            && compare(left, right).is_lt()
        {
            child += 1;
        }
        match heap.get_disjoint_mut([parent, child]) {
            Ok([upper, lower]) if compare(upper, lower).is_lt() => mem::swap(upper, lower),
            _ => return,
        }
        parent = child;
    }
}

/// Sorts names.
#[inline(never)]
pub fn sort_names(names: &mut [&str]) {
    sort_by(names, |left, right| left.cmp(right));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn the_result_is_that_of_the_standard_library(mut list in proptest::collection::vec(0..50_u8, 0..60)) {
            let mut expected = list.clone();
            expected.sort_unstable();
            sort_by(&mut list, u8::cmp);
            prop_assert_eq!(list, expected);
        }
    }

    #[test]
    fn long_lists_need_few_comparisons() {
        let compared = core::cell::Cell::new(0_u32);
        for mut list in [(0..4096).collect::<Vec<_>>(), (0..4096).rev().collect(), std::vec![7; 4096]] {
            compared.set(0);
            sort_by(&mut list, |a: &u32, b| {
                compared.set(compared.get() + 1);
                a.cmp(b)
            });
            assert!(list.is_sorted() && compared.get() <= 2 * 12 * 4096, "{}", compared.get());
        }
    }
}
