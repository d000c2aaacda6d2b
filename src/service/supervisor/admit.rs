//! Who may speak in a component's name.
//!
//! The token says as whom, the peer's process whether it may:
//!
//! | the peer is | run by | it may |
//! |---|---|---|
//! | a process of that component | anyone | yes |
//! | a process of no component | root, or the user of that component's processes | yes |
//! | a process of no component | another user | no |
//! | a process of another component | anyone | no: it shows a stolen token |
//! | gone, or unknown for an error | | no |
//!
//! The second line is for a container that a component starts, and for a developer's shell. Refusing them would gain
//! nothing: root and that user can trace the component's processes, and so speak through them.
//! [Decision 7](../../../docs/decisions/0007-who-speaks-for-a-component.md) has the whole reasoning.

use super::jail::{Jail, Whose};
use super::tokens::Tokens;
use crate::base::report::Report;
use crate::base::token::Token;
use crate::sys::peer::Peer;
use crate::wire::name::ComponentName;

/// Why a peer may not speak as a component. Says nothing that the peer could learn from; the log has the rest.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAdmitted {
    #[error("the token is no component's")]
    UnknownToken,
    #[error("process {pid} is of component {peer} and shows the token of {token}")]
    Stolen { token: ComponentName, peer: ComponentName, pid: i32 },
    #[error("process {pid} is of no component, and user {uid} may not speak as {token}")]
    Stranger { token: ComponentName, pid: i32, uid: u32 },
    #[error("process {pid}, which shows the token of {token}, has ended")]
    Gone { token: ComponentName, pid: i32 },
    #[error("whose process {pid} is, which shows the token of {token}, cannot be told: {why}")]
    Unknown { token: ComponentName, pid: i32, why: String },
}

/// Decides, and warns of a token in wrong hands.
pub(super) fn admit(tokens: &Tokens, jail: &Jail, shown: &Token, peer: Peer) -> Result<ComponentName, NotAdmitted> {
    let name = tokens.component_of(shown).ok_or(NotAdmitted::UnknownToken)?;
    let whose = jail.whose(peer).map_err(|error| Report(&error).to_string());
    let judged = judge(name, whose, jail.user_of(name), peer);
    if let Err(refusal) = &judged {
        tracing::warn!(component = %name, pid = peer.pid, uid = peer.uid, "A client may not speak as the component: {refusal}.");
    }
    judged.map(|()| name.clone())
}

/// `user` is whom the component's processes run as, if it has had one.
fn judge(
    token: &ComponentName,
    whose: Result<Whose, String>,
    user: Option<u32>,
    Peer { pid, uid, .. }: Peer,
) -> Result<(), NotAdmitted> {
    let token = || token.clone();
    match whose {
        Ok(Whose::Component(peer)) if peer == token() => Ok(()),
        Ok(Whose::Component(peer)) => Err(NotAdmitted::Stolen { token: token(), peer, pid }),
        Ok(Whose::Nobody) if uid == 0 || user == Some(uid) => Ok(()),
        Ok(Whose::Nobody) => Err(NotAdmitted::Stranger { token: token(), pid, uid }),
        Ok(Whose::Gone) => Err(NotAdmitted::Gone { token: token(), pid }),
        Err(why) => Err(NotAdmitted::Unknown { token: token(), pid, why }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn judge_lets_speak_whom_the_table_names() {
        let [a, b] = ["a", "b"].map(|name| ComponentName::parse(name).unwrap());
        let peer = |uid| Peer { uid, gid: 1, pid: 77 };
        let judge = |whose, user, uid| judge(&a, Ok(whose), user, peer(uid));
        let component = |name: &ComponentName| Whose::Component(name.clone());
        assert_eq!(judge(component(&a), None, 12), Ok(()));
        for uid in [0, 12] {
            let stolen = NotAdmitted::Stolen { token: a.clone(), peer: b.clone(), pid: 77 };
            assert_eq!(judge(component(&b), Some(12), uid), Err(stolen));
            assert_eq!(judge(Whose::Nobody, Some(12), uid), Ok(()));
            assert_eq!(judge(Whose::Gone, Some(12), uid), Err(NotAdmitted::Gone { token: a.clone(), pid: 77 }));
        }
        for user in [None, Some(13)] {
            let stranger = NotAdmitted::Stranger { token: a.clone(), pid: 77, uid: 12 };
            assert_eq!(judge(Whose::Nobody, user, 12), Err(stranger));
        }
        let unknown = super::judge(&a, Err("EIO".into()), Some(0), peer(0)).unwrap_err();
        assert!(matches!(unknown, NotAdmitted::Unknown { .. }) && unknown.to_string().contains("EIO"));
    }
}
