//! Sorting with little code.

use core::cmp::Ordering;
use core::mem;

/// Sorts a list in place; equal elements may change places.
///
/// A heapsort whose code exists once, whatever is sorted: it is a twentieth of that of `sort_unstable`, which is compiled
/// for each type of element. It needs up to twice as many comparisons. Meant for lists that are sorted rarely, or whose
/// elements cost much more than comparing them.
pub fn sort_by<T>(list: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    heap_sort(list.len(), &mut |step| match step {
        Step::Compare(left, right) => match (list.get(left), list.get(right)) {
            (Some(left), Some(right)) => compare(left, right).is_lt(),
            _ => false,
        },
        Step::Swap(left, right) => {
            if let Ok([left, right]) = list.get_disjoint_mut([left, right]) {
                mem::swap(left, right);
            }
            false
        }
    });
}

/// What sorting does with two elements of a list.
enum Step {
    /// Tells whether the first is less than the second. One that the list does not have is not less.
    Compare(usize, usize),
    /// Exchanges them.
    Swap(usize, usize),
}

fn heap_sort(length: usize, list: &mut dyn FnMut(Step) -> bool) {
    for root in (0..length / 2).rev() {
        sift_down(length, root, list);
    }
    for end in (1..length).rev() {
        list(Step::Swap(0, end));
        sift_down(end, 0, list);
    }
}

/// Lets the element at `parent` sink to its place in the heap of the first `length` elements.
fn sift_down(length: usize, mut parent: usize, list: &mut dyn FnMut(Step) -> bool) {
    loop {
        let mut child = 2 * parent + 1;
        if child + 1 < length && list(Step::Compare(child, child + 1)) {
            child += 1;
        }
        if child >= length || !list(Step::Compare(parent, child)) {
            return;
        }
        list(Step::Swap(parent, child));
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
