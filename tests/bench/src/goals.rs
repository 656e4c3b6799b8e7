//! What the project wants to reach against the published library 0.5.4: how many times less a figure is to be.

/// One goal.
#[derive(Debug)]
pub(crate) struct Goal {
    /// The workload and the figure.
    pub figure: &'static str,
    /// The published library's figure, divided by ours, must reach this.
    pub at_least: f64,
    /// What is aimed at.
    pub aim: f64,
}

const fn goal(figure: &'static str, at_least: f64, aim: f64) -> Goal {
    Goal { figure, at_least, aim }
}

const GOALS: &[Goal] = &[
    goal("init_json total", 5.0, 6.0),
    goal("init_bson total", 5.0, 6.0),
    goal("init_json written", 6.0, 7.0),
    goal("init_json file", 1.8, 2.0),
    goal("incremental total", 4.5, 5.0),
    goal("manybuckets total", 40.0, 60.0),
    goal("changed complete", 1.0, 1.5),
    goal("apply apply", 3.6, 5.0),
    goal("local_1tx total", 1.5, 1.7),
    goal("local_1000tx total", 1.6, 2.0),
    goal("local_auto total", 1.4, 1.6),
    goal("views total", 1.0, 1.0),
    goal("raw total", 2.0, 2.5),
    goal("rawinfer total", 2.0, 2.5),
    goal("direct total", 2.0, 2.5),
    goal("priorities partial", 1.0, 1.5),
    goal("priorities complete", 1.0, 1.5),
    goal("priorities total", 2.0, 2.5),
    goal("supersede total", 3.3, 4.0),
    goal("reopen open", 1.3, 1.6),
    goal("reopen schema", 10.0, 20.0),
    goal("delbuckets total", 1.5, 2.0),
];

/// The goal for a figure of a workload. The peak of memory is to be no higher in any.
pub(crate) fn find(workload: &str, figure: &str) -> Option<Goal> {
    if figure == "memory" {
        return Some(goal("memory", 1.0, 1.0));
    }
    let wanted = GOALS.iter().find(|goal| goal.figure.split_once(' ') == Some((workload, figure)))?;
    Some(goal(wanted.figure, wanted.at_least, wanted.aim))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::WORKLOADS;

    #[test]
    fn goals_are_of_workloads_that_there_are() {
        for goal in GOALS {
            let (workload, _) = goal.figure.split_once(' ').unwrap();
            assert!(WORKLOADS.iter().any(|other| other.name == workload), "{workload}");
            assert!(goal.aim >= goal.at_least, "{workload}");
        }
    }
}
