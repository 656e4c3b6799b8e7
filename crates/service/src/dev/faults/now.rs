//! Faults that happen once, when they are asked for.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use sync_config::{Hash, Plan, compile};

use super::stream::Order;
use super::{Faults, Sudden};
use crate::error::{ApiError, ErrorKind};
use crate::http::App;
use crate::sync::shutting_down;

/// Has something happen, and says how many streams it has hit.
pub(super) async fn happen(faults: &Faults, app: &Arc<App>, fault: Sudden) -> Result<usize, ApiError> {
    match fault {
        Sudden::Cut => Ok(faults.order(Order::Cut)),
        Sudden::Expire => Ok(faults.order(Order::Expire)),
        Sudden::Checksum => Ok(faults.order(Order::Checksum)),
        Sudden::Compact => {
            app.writer.compact().await?;
            Ok(0)
        }
        Sudden::Redeploy => {
            redeploy(faults, app).await?;
            Ok(faults.streams())
        }
    }
}

/// Deploys the active configuration again. It shares nothing with what is stored, so all rows are read again.
async fn redeploy(faults: &Faults, app: &Arc<App>) -> Result<(), ApiError> {
    let active = app.writer.board.status().config.active;
    let active = active.ok_or_else(|| ApiError::new(ErrorKind::NoConfig, "No sync configuration is active yet."))?;
    let (yaml, options) = (active.yaml.to_string(), app.compile.clone());
    let compiled = tokio::task::spawn_blocking(move || (compile(&yaml, &options).plan, yaml)).await;
    let (plan, yaml) = compiled.map_err(|_| shutting_down())?;
    let plan = plan.ok_or_else(|| {
        ApiError::new(ErrorKind::Conflict, "The active configuration was deployed by another version of this program.")
    })?;
    let number = faults.redeployed.fetch_add(1, Ordering::Relaxed);
    app.writer
        .deploy(yaml, unlike(plan, app.writer.board.status().config.active.map_or(0, |one| one.id), number))
        .await?;
    Ok(())
}

/// The same plan with other hashes, by which the engine recognizes what it has. `config` and `number` make them differ from
/// those of each earlier call.
fn unlike(mut plan: Plan, config: u32, number: usize) -> Plan {
    let mut salt = [0x5a; 32];
    let bytes = config.to_le_bytes().into_iter().chain(number.to_le_bytes());
    salt.iter_mut().zip(bytes).for_each(|(place, byte)| *place ^= byte);
    let other = |hash: &mut Hash| hash.0.iter_mut().zip(salt).for_each(|(place, byte)| *place ^= byte);
    plan.evaluators.iter_mut().for_each(|evaluator| other(&mut evaluator.hash));
    plan.indexes.iter_mut().for_each(|index| other(&mut index.hash));
    plan.definitions.iter_mut().for_each(|definition| other(&mut definition.hash));
    plan
}
