//! The exponent with which a cost grows: 0 if it does not, 1 if it doubles when the size doubles.

/// The slope of the straight line that fits best through the logarithms of sizes and costs; None if there are not two
/// points, or a cost is zero.
pub(super) fn fit(sizes: &[usize], costs: &[f64]) -> Option<f64> {
    if sizes.len() != costs.len() || sizes.len() < 2 || costs.iter().any(|cost| *cost <= 0.0) {
        return None;
    }
    let points: Vec<(f64, f64)> =
        sizes.iter().zip(costs).map(|(size, cost)| ((*size as f64).ln(), cost.ln())).collect();
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let covariance: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    Some(covariance / variance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_found() {
        let sizes = [10, 100, 1000, 20_000];
        let exponent = |cost: fn(f64) -> f64| fit(&sizes, &sizes.map(|size| cost(size as f64))).unwrap();
        assert!((exponent(|size| 3.0 * size) - 1.0).abs() < 1e-9);
        assert!((exponent(|size| 5.0 * size * size) - 2.0).abs() < 1e-9);
        assert!(exponent(|_| 7.0).abs() < 1e-9);
    }

    #[test]
    fn there_may_be_no_exponent() {
        assert_eq!(fit(&[10], &[1.0]), None);
        assert_eq!(fit(&[10, 20], &[1.0, 0.0]), None);
        assert_eq!(fit(&[10, 20], &[1.0]), None);
    }
}
