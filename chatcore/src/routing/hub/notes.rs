//! The notes about a customer, as the customer's state has them.

use super::Hub;
use crate::{
    content::Content,
    dialog::CustomerNote,
    engine::Machine,
    error::Result,
    ids::{CustomerId, NoteId, Target},
    routing::opened::open_body,
};

impl Hub {
    /// Oldest first. For staff alone: whoever calls this has judged the reader.
    pub(crate) async fn notes_about(
        &self,
        customer: &CustomerId,
    ) -> Result<Vec<(NoteId, CustomerNote<Content>)>> {
        let state = self.state_of(Target::Customer(customer.clone())).await?;
        let Some(Machine::Customer(state)) = state else {
            return Ok(Vec::new());
        };
        let opened = state.notes().map(|(id, note)| {
            let body = open_body(self.sealer.as_ref(), Some(customer), &note.body)?;
            let note = CustomerNote {
                at: note.at,
                author: note.author.clone(),
                body,
            };
            Ok((id, note))
        });
        opened.collect()
    }
}
