//! A bot of rules: greets, offers buttons, answers from a file, and knows when to call a person.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Bot, BotReply, BotTurn, Said};
use crate::{
    content::{BUTTONS_MAX, Button, Content},
    error::{Error, ErrorKind, Result},
    ids::{Label, QueueRef},
};

/// The rules, as read from a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BotRules {
    /// Said first.
    pub greeting: String,
    /// What can be asked for by a button, beside a person.
    #[serde(default)]
    pub rules: Vec<BotRule>,
    /// The button that calls a person.
    pub person_button: String,
    /// Words that call a person, in any case.
    #[serde(default)]
    pub person_words: Vec<String>,
    /// Said when a person was called: that one will come, and that the customer may leave.
    pub handing_over: String,
    /// Said when nothing fits.
    pub not_understood: String,
    /// A person is called when nothing fitted this many times in a row.
    #[serde(default = "two")]
    pub failures_max: usize,
    /// Where the dialog waits; its own queue when absent.
    #[serde(default)]
    pub queue: Option<QueueRef>,
}

fn two() -> usize {
    2
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BotRule {
    /// Names it; a button of this id asks for it.
    pub id: String,
    /// What its button says; without one it answers to its words only.
    #[serde(default)]
    pub button: Option<String>,
    /// It fits when one of these is in what the customer said, in any case.
    #[serde(default)]
    pub words: Vec<String>,
    /// The answer.
    pub answer: String,
}

/// The button that calls a person.
const PERSON: &str = "person";

/// Answers by rules.
#[derive(Debug, Clone)]
pub struct RuleBot {
    rules: BotRules,
}

impl RuleBot {
    /// A bot of these rules.
    ///
    /// # Errors
    /// `Invalid` when two rules have one id, one is called `person`, there are too many buttons or
    /// a rule can never fit.
    pub fn try_new(rules: BotRules) -> Result<Self> {
        let invalid = |what: &'static str, id: &str| {
            Err(Error::new(ErrorKind::Invalid, "read the bot's rules")
                .with_context("rule", id)
                .with_context("wrong", what))
        };
        for (i, rule) in rules.rules.iter().enumerate() {
            if rule.id == PERSON {
                return invalid(
                    "the id 'person' is taken by the call for a person",
                    &rule.id,
                );
            }
            if rules.rules.iter().take(i).any(|other| other.id == rule.id) {
                return invalid("another rule has this id", &rule.id);
            }
            if rule.button.is_none() && rule.words.is_empty() {
                return invalid("it has neither a button nor words", &rule.id);
            }
        }
        if rules.rules.iter().filter(|r| r.button.is_some()).count() >= BUTTONS_MAX {
            return invalid("there are too many buttons", "");
        }
        Ok(Self { rules })
    }

    fn offer(&self, text: &str) -> Content {
        let rules = self.rules.rules.iter();
        let mut buttons: Vec<Button> = rules
            .filter_map(|r| {
                Some(Button {
                    id: r.id.clone(),
                    label: r.button.clone()?,
                })
            })
            .collect();
        let label = self.rules.person_button.clone();
        buttons.push(Button {
            id: PERSON.to_owned(),
            label,
        });
        Content::QuickReplies {
            text: text.to_owned(),
            replies: buttons,
        }
    }

    fn understand(&self, content: &Content) -> Understood<'_> {
        let by_id = |id: &str| self.rules.rules.iter().find(|r| r.id == id);
        let text = match content {
            Content::Pressed { id, .. } if id == PERSON => return Understood::Person,
            Content::Pressed { id, label } => match by_id(id) {
                Some(rule) => return Understood::Rule(rule),
                None => label,
            },
            Content::Text(text) => text,
            _ => return Understood::Nothing,
        };
        let text = text.to_lowercase();
        let has = |words: &[String]| words.iter().any(|w| text.contains(&w.to_lowercase()));
        if has(&self.rules.person_words) || text == self.rules.person_button.to_lowercase() {
            return Understood::Person;
        }
        let rule = self.rules.rules.iter().find(|r| has(&r.words));
        rule.map_or(Understood::Nothing, Understood::Rule)
    }

    /// How often nothing fitted since the greeting, back from the last thing that was said.
    fn failures(&self, said: &[Said]) -> usize {
        let greeted = said.iter().position(|s| s.by_bot).unwrap_or(said.len());
        let customer = said.iter().skip(greeted).rev().filter(|s| !s.by_bot);
        customer
            .take_while(|s| self.understand(&s.content) == Understood::Nothing)
            .count()
    }

    fn hand_over(&self, reason: &'static str) -> BotReply {
        BotReply {
            says: vec![Content::Text(self.rules.handing_over.clone())],
            hand_over: Some((self.rules.queue.clone(), Label::literal(reason))),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Understood<'a> {
    Person,
    Rule(&'a BotRule),
    Nothing,
}

#[async_trait]
impl Bot for RuleBot {
    async fn answer(&self, turn: &BotTurn) -> Result<BotReply> {
        let greeted = turn.said.iter().any(|s| s.by_bot);
        let Some(last) = turn.said.iter().rfind(|s| !s.by_bot) else {
            let says = if greeted {
                Vec::new()
            } else {
                vec![self.offer(&self.rules.greeting)]
            };
            return Ok(BotReply {
                says,
                hand_over: None,
            });
        };
        Ok(match self.understand(&last.content) {
            Understood::Person => self.hand_over("asked"),
            Understood::Rule(rule) => BotReply {
                says: vec![self.offer(&rule.answer)],
                hand_over: None,
            },
            Understood::Nothing if !greeted => BotReply {
                says: vec![self.offer(&self.rules.greeting)],
                hand_over: None,
            },
            Understood::Nothing if self.failures(&turn.said) >= self.rules.failures_max => {
                self.hand_over("failed")
            }
            Understood::Nothing => BotReply {
                says: vec![self.offer(&self.rules.not_understood)],
                hand_over: None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ChannelId, CustomerId, DialogId, Seq};

    fn bot() -> RuleBot {
        RuleBot::try_new(BotRules {
            greeting: "Hello!".to_owned(),
            rules: vec![BotRule {
                id: "hours".to_owned(),
                button: Some("Opening hours".to_owned()),
                words: vec!["open".to_owned(), "часы".to_owned()],
                answer: "9 to 18".to_owned(),
            }],
            person_button: "Call a person".to_owned(),
            person_words: vec!["operator".to_owned(), "оператор".to_owned()],
            handing_over: "A person will come".to_owned(),
            not_understood: "Pardon?".to_owned(),
            failures_max: 2,
            queue: None,
        })
        .unwrap()
    }

    fn turn(said: &[(bool, &str)]) -> BotTurn {
        let said = said
            .iter()
            .map(|(by_bot, text)| Said {
                by_bot: *by_bot,
                content: Content::Text((*text).to_owned()),
            })
            .collect();
        BotTurn {
            customer: CustomerId::literal("anna"),
            dialog: DialogId(17),
            channel: ChannelId::literal("web"),
            seen: Seq(9),
            said,
        }
    }

    async fn answer(said: &[(bool, &str)]) -> (String, Option<String>) {
        let reply = bot().answer(&turn(said)).await.unwrap();
        let text = match reply.says.first() {
            Some(Content::QuickReplies { text, .. } | Content::Text(text)) => text.clone(),
            other => format!("{other:?}"),
        };
        (text, reply.hand_over.map(|(_, reason)| reason.to_string()))
    }

    #[tokio::test]
    async fn it_greets_answers_and_hands_over() {
        let asked = Some("asked".to_owned());
        let failed = Some("failed".to_owned());
        let hello = (true, "Hello!");
        type Case<'a> = (Vec<(bool, &'a str)>, &'a str, Option<String>);
        let cases: Vec<Case<'_>> = vec![
            (vec![], "Hello!", None),
            (vec![(false, "hi")], "Hello!", None),
            (vec![hello, (false, "When do you OPEN?")], "9 to 18", None),
            (
                vec![hello, (false, "Позовите Оператора")],
                "A person will come",
                asked.clone(),
            ),
            (
                vec![(false, "operator!")],
                "A person will come",
                asked.clone(),
            ),
            (
                vec![hello, (false, "call a person")],
                "A person will come",
                asked,
            ),
            (vec![hello, (false, "x")], "Pardon?", None),
            (vec![(false, "x"), hello, (false, "y")], "Pardon?", None),
            (
                vec![hello, (false, "x"), (true, "Pardon?"), (false, "y")],
                "A person will come",
                failed,
            ),
            (
                vec![hello, (false, "x"), (false, "часы"), (false, "z")],
                "Pardon?",
                None,
            ),
        ];
        for (said, text, hand_over) in cases {
            assert_eq!(
                answer(&said).await,
                (text.to_owned(), hand_over),
                "{said:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_greeted_customer_who_said_nothing_is_not_greeted_again() {
        let reply = bot().answer(&turn(&[(true, "Hello!")])).await.unwrap();
        assert_eq!(reply, BotReply::default());
    }

    #[test]
    fn rules_that_can_not_work_are_refused() {
        let rule = |id: &str, words: &[&str]| BotRule {
            id: id.to_owned(),
            button: None,
            words: words.iter().map(|w| (*w).to_owned()).collect(),
            answer: "a".to_owned(),
        };
        for rules in [
            vec![rule("person", &["x"])],
            vec![rule("a", &["x"]), rule("a", &["y"])],
            vec![rule("a", &[])],
        ] {
            let rules = BotRules {
                rules,
                ..bot().rules
            };
            assert_eq!(
                RuleBot::try_new(rules).unwrap_err().kind(),
                ErrorKind::Invalid
            );
        }
    }
}
