//! `GetConfiguration`: what any component is configured to.

use serde_json::{Map, Value};

use super::configuration::Subject;
use crate::api::ipc::call::Call;
use crate::store::tree::{KeyPath, Tree};
use crate::wire::ipc::IpcError;
use crate::wire::ipc::configuration::{GetConfigurationRequest, GetConfigurationResponse};

/// Free for all: a component may read the configuration of every other. Keys are compared without case.
pub(super) async fn answer(
    call: &Call,
    request: GetConfigurationRequest,
) -> Result<GetConfigurationResponse, IpcError> {
    let subject = Subject::new(call, request.component_name);
    let tree = call.services.config.snapshot();
    let of = subject.configuration();
    if !tree.is_interior(&of) {
        return Err(subject.no_component());
    }
    let at = of.join_all(request.key_path.unwrap_or_default());
    let value = read(&tree, &at).ok_or_else(|| subject.no_key(&at))?;
    Ok(GetConfigurationResponse { component_name: subject.component, value })
}

/// An object of everything below; a leaf under its own key, as the tree spells it.
fn read(tree: &Tree, at: &KeyPath) -> Option<Value> {
    let value = tree.value(at)?;
    if tree.is_interior(at) {
        return Some(value);
    }
    let key = tree.spelled(at).last()?.to_owned();
    Some(Value::Object(Map::from_iter([(key, value)])))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base::clock::Timestamp;

    #[test]
    fn leaf_comes_under_its_own_key_and_a_node_as_it_is() {
        let json = json!({"Leaf": [1, {"x": null}], "node": {"null": null, "_hidden": 1}, "empty": {}});
        let tree = Tree::from((json.as_object().unwrap().clone(), Timestamp(1)));
        let read = |pointer: &str| read(&tree, &KeyPath::from_pointer(pointer).unwrap());
        assert_eq!(read("/LEAF"), Some(json!({"Leaf": [1, {"x": null}]})));
        assert_eq!(read("/node/null"), Some(json!({"null": null})));
        assert_eq!(read("/Node"), Some(json!({"null": null})));
        assert_eq!(read("/empty"), Some(json!({})));
        assert_eq!(read("/Leaf/0"), None, "lists have no addressable elements");
        assert_eq!(read("/node/none"), None);
    }
}
