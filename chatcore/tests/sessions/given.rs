//! A dialog that is given and taken away again while a session still asks for it.

use std::sync::Arc;

use async_trait::async_trait;
use chatcore::{
    dialog::{CustomerCommand, TransferTo},
    error::Result,
    ids::{Node, StreamId, Target},
    queue::{DeskCommand, OperatorStatus},
    record::{Command, Position},
    store::{Follow, Followed, Page, ReadRange, StoredState, StreamStore},
};
use tokio::sync::watch;

use super::{
    anna,
    people::{Person, builder, desk, desk_target, ports, staff, while_running},
    staff_id, talk,
};

/// A store that answers nobody who follows a dialog, while it is slow.
#[derive(Debug)]
struct Slow {
    inner: Arc<dyn StreamStore>,
    is_slow: watch::Sender<bool>,
}

#[async_trait]
impl StreamStore for Slow {
    async fn follow(&self, follow: Follow) -> Result<Followed> {
        if matches!(follow.stream, StreamId::Dialog(_)) {
            let mut is_slow = self.is_slow.subscribe();
            is_slow.wait_for(|is_slow| !is_slow).await.unwrap();
        }
        self.inner.follow(follow).await
    }

    async fn unfollow(&self, stream: &StreamId, node: &Node) -> Result<()> {
        self.inner.unfollow(stream, node).await
    }

    async fn read(&self, range: ReadRange) -> Result<Page> {
        self.inner.read(range).await
    }

    async fn heads(&self, streams: &[StreamId]) -> Result<Vec<Position>> {
        self.inner.heads(streams).await
    }

    async fn routes(&self, stream: &StreamId) -> Result<Vec<Node>> {
        self.inner.routes(stream).await
    }

    async fn load(&self, targets: &[Target]) -> Result<Vec<StoredState>> {
        self.inner.load(targets).await
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_to_a_dialog_that_is_taken_meanwhile_hears_of_its_end() {
    let (mut ports, _) = ports();
    let slow = Arc::new(Slow {
        inner: ports.streams.clone(),
        is_slow: watch::Sender::new(false),
    });
    ports.streams = slow.clone();
    let chat = builder(ports).build().unwrap();
    while_running(&chat, async {
        let (_anna_there, mut olga, dialog, epoch) = talk(&chat).await;
        let stream = StreamId::Dialog(dialog);
        let board = StreamId::Board(desk());
        let mut petr = Person::connect(&chat, staff("petr", false), "desk-2");
        let status = DeskCommand::Status {
            operator: staff_id("petr"),
            status: OperatorStatus::Available,
        };
        petr.ask(&desk_target(), Command::Desk(status)).await;

        slow.is_slow.send_replace(true);
        let mut had = olga.positions.clone();
        had.retain(|has, _| *has == stream);
        let mut back = Person::resume(&chat, staff("olga", false), "desk-3", had);
        back.until("the board that gives it to her", |me| {
            me.positions.contains_key(&board)
        })
        .await;
        let transfer = CustomerCommand::Transfer {
            dialog,
            owner_epoch: epoch,
            to: TransferTo::Operator {
                desk: desk(),
                operator: staff_id("petr"),
                queue: None,
            },
            note: None,
        };
        olga.ask(&anna(), Command::Customer(transfer)).await;
        olga.until("she is out", |me| me.left.contains(&stream))
            .await;
        slow.is_slow.send_replace(false);
        back.until("the end of what she has", |me| me.left.contains(&stream))
            .await;
    })
    .await;
}
