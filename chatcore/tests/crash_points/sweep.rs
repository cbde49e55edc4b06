//! Faults at all effects, and what is wrong with how they end.

use crate::{
    follower::Replies,
    run::{Plan, Ran, Successor, run},
    world::Loss,
};

/// A runtime of its own, with time that moves only when nothing else does.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}

pub(crate) fn without_fault(batch: usize) -> Ran {
    block_on(run(None, batch)).expect("it becomes quiet")
}

/// What is wrong with a run, beside another that had no fault.
fn judge(plan: Plan, ran: Option<&Ran>, whole: &Ran) -> Option<String> {
    let Some(ran) = ran else {
        return Some("it does not become quiet".to_owned());
    };
    if !ran.was_hit {
        return Some("the fault did not happen".to_owned());
    }
    let (seen, expected) = (&ran.seen, &whole.seen);
    let effect = whole.effects.get(plan.at).copied().unwrap_or("?");
    let is_told_failed = matches!(plan.successor, Successor::SameBefore | Successor::SameAfter);
    // Frames are best effort, and a store that loses its memory loses the routes.
    let is_frame_lost = is_told_failed && effect == "deliver";
    let may_miss = plan.loss != Loss::None || is_frame_lost;
    if !ran.contradictions.is_empty() {
        return Some(format!("frames contradict: {:?}", ran.contradictions));
    }
    if seen.streams != expected.streams {
        let differ = seen
            .streams
            .iter()
            .find(|(k, v)| expected.streams[*k] != **v);
        let lengths = differ.map(|(k, v)| (k, v.len(), expected.streams[k].len()));
        return Some(format!("the history differs: {lengths:?}"));
    }
    if let Some(why) = judge_replies(&seen.replies, &expected.replies, is_frame_lost) {
        return Some(why);
    }
    if seen.machines != expected.machines {
        return Some("the states differ".to_owned());
    }
    if seen.left != expected.left {
        return Some(format!("these have left the store: {:?}", seen.left));
    }
    if seen.letters != expected.letters {
        return Some(format!("the dead letters differ: {:?}", seen.letters));
    }
    if seen.published != expected.published {
        return Some("what was published differs".to_owned());
    }
    if !may_miss && !ran.missed.is_empty() {
        return Some(format!("frames never came: {:?}", ran.missed));
    }
    None
}

/// Nobody hears anything else; all that is to be heard is heard, unless the fault was that a frame
/// is lost.
fn judge_replies(told: &Replies, expected: &Replies, is_frame_lost: bool) -> Option<String> {
    for (name, replies) in told {
        let known = expected.get(name);
        if !known.is_some_and(|known| replies.is_subset(known)) {
            return Some(format!("{name:?} heard {replies:?}, not {known:?}"));
        }
    }
    if is_frame_lost || told == expected {
        return None;
    }
    let missing = expected.iter().find(|(k, v)| told.get(*k) != Some(*v));
    Some(format!("not heard: {missing:?}"))
}

/// Faults at the effects, every `step`th or, with `CHATCORE_SWEEP=all`, at each; what is wrong, and
/// where.
pub(crate) fn sweep(
    whole: &Ran,
    batch: usize,
    (loss, successor): (Loss, Successor),
    step: usize,
) -> impl Iterator<Item = String> {
    let step = match std::env::var("CHATCORE_SWEEP") {
        Ok(how) if how == "all" => 1,
        _ => step,
    };
    // Another place to begin at for each kind, so that together they meet all effects.
    let first = (loss as usize + successor as usize) % step;
    let effects = whole.effects.iter().enumerate().skip(first).step_by(step);
    effects.filter_map(move |(at, effect)| {
        let plan = Plan {
            at,
            loss,
            successor,
        };
        let ran = block_on(run(Some(plan), batch));
        let why = judge(plan, ran.as_ref(), whole)?;
        Some(format!("{at} ({effect}) {loss:?} {successor:?}: {why}"))
    })
}
