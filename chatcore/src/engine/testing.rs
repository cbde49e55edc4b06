//! Small things that the engine's tests share.

use crate::{
    clock::Timestamp,
    ids::{CustomerId, Offset, Participant, Seq, Target, TenantId},
    record::{Accepted, CommandId, Decision, Outcome, Verdict},
};

/// A decision with this cause that changed nothing.
pub(crate) fn decision(cause: u64) -> Decision {
    Decision {
        cause: Offset(cause),
        at: Timestamp(0),
        tenant: TenantId::single(),
        trace: None,
        target: Target::Customer(CustomerId::try_new("anna").unwrap()),
        author: Participant::System,
        id: CommandId::Internal,
        digest: 0,
        settled: 0,
        reply_to: None,
        unparked: None,
        brought_up_by: None,
        verdict: Verdict::Decided(Outcome::Accepted(Accepted {
            dialog: None,
            redacted: false,
            seq: Seq(0),
        })),
        appended: Vec::new(),
        cursors: Vec::new(),
        follow_ups: Vec::new(),
        forget: Vec::new(),
        dialogs_opened: 0,
    }
}
