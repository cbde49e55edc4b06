//! Pushes: calls customers back who are away.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Effect, Work, lookup::pauses};
use crate::{
    dialog::DialogEvent,
    error::Result,
    ids::{Label, Participant, Seq, StreamId},
    push::{Push, PushNotifier, PushReason},
    record::{Access, Appended, Event},
    store::StreamStore,
};

/// Calls customers back when somebody answers while no session of theirs is open.
#[derive(Debug)]
pub struct PushEffect {
    name: Label,
    notifier: Arc<dyn PushNotifier>,
    streams: Arc<dyn StreamStore>,
}

impl PushEffect {
    /// Pushes through this notifier.
    #[must_use]
    pub fn new(notifier: Arc<dyn PushNotifier>, streams: Arc<dyn StreamStore>) -> Self {
        Self {
            name: Label::literal("push"),
            notifier,
            streams,
        }
    }
}

fn reason(event: &Event<crate::content::Sealed>) -> Option<PushReason> {
    let Event::Dialog(event) = event else {
        return None;
    };
    match event {
        DialogEvent::Assigned { .. } => Some(PushReason::Assigned),
        DialogEvent::Message {
            author: Participant::Staff(_) | Participant::Bot,
            ..
        }
        | DialogEvent::System { .. }
        | DialogEvent::Emergency { .. } => Some(PushReason::Message),
        DialogEvent::Closed {
            by: Participant::Staff(_),
            ..
        } => Some(PushReason::Closed),
        _ => None,
    }
}

/// The last of them: one push a decision is enough.
fn last(appended: &Appended) -> Option<(Seq, PushReason)> {
    appended
        .events
        .iter()
        .rev()
        .find_map(|e| reason(&e.event).map(|why| (e.seq, why)))
}

#[async_trait]
impl Effect for PushEffect {
    fn name(&self) -> &Label {
        &self.name
    }

    fn wants(&self, appended: &Appended) -> bool {
        last(appended).is_some()
    }

    async fn run(&self, work: &Work) -> Result<()> {
        let Some(appended) = work.appended() else {
            return Ok(());
        };
        let (StreamId::Dialog(dialog), Access::Dialog { customer, .. }, Some((seq, reason))) =
            (&appended.stream, &appended.access, last(appended))
        else {
            return Ok(());
        };
        let own = StreamId::Customer(customer.clone());
        let routes = self.streams.routes(&own).await.map_err(pauses)?;
        if !routes.is_empty() {
            return Ok(());
        }
        let push = Push {
            customer: customer.clone(),
            dialog: *dialog,
            seq,
            reason,
        };
        self.notifier.notify(&push).await
    }
}
