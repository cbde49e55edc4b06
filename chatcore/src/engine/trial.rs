//! Commands that kill: who was about to decide one, and died.
//!
//! A command that brings its owner down comes to the next owner, and the next. Each notes its name
//! before it tries the command alone. Who is not among the living then died of it, or of something
//! else in the same moment; after several the command is parked. A partition that was taken away,
//! or a store that takes nothing for a while, is no death.

use super::context::Context;
use crate::{
    error::Result,
    ids::{Node, Offset},
    store::Trial,
};

/// Nodes that are kept beside those that condemn: some of them may still live.
const SPARE: usize = 8;

/// The trial of a command by this node, after those of others.
pub(super) fn begin(cx: &Context, before: Option<Trial>, offset: Offset) -> Trial {
    let before = before.filter(|trial| trial.offset == offset);
    let mut nodes = before.map_or_else(Vec::new, |trial| trial.nodes);
    nodes.retain(|node| *node != cx.node);
    nodes.push(cx.node.clone());
    let most = usize::try_from(cx.config.trials_max).map_or(usize::MAX, |max| max + SPARE);
    let oldest = nodes.len().saturating_sub(most);
    nodes.drain(..oldest);
    Trial { offset, nodes }
}

/// Whether others were about to decide it.
pub(super) fn has_others(cx: &Context, trial: &Trial) -> bool {
    trial.nodes.iter().any(|node| *node != cx.node)
}

/// Whether it has killed as many owners as it may.
///
/// # Errors
/// Of the port, when the leases can't be asked.
pub(super) async fn is_deadly(cx: &Context, trial: &Trial) -> Result<bool> {
    let most = usize::try_from(cx.config.trials_max).unwrap_or(usize::MAX);
    if trial.nodes.len() <= most {
        return Ok(false);
    }
    let alive = cx.ports.leases.alive().await?;
    let deaths = trial.nodes.iter().filter(|node| is_dead(cx, &alive, node));
    Ok(deaths.count() >= most)
}

/// A former life of this node is over, whatever its lease says.
fn is_dead(cx: &Context, alive: &[Node], node: &Node) -> bool {
    if node.id == cx.node.id {
        return node.epoch != cx.node.epoch;
    }
    !alive.contains(node)
}
