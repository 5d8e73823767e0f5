//! Calling methods of others: by path, while the bus wants ids.

use super::{requests::Reply, shared::Shared};
use crate::{
    error::{BusError, status},
    limits,
    message::{Fields, Outgoing, attribute, kind},
    value::Table,
};
use std::rc::Rc;

impl Shared {
    /// Calls a method and returns the data of all answers.
    pub(super) async fn invoke(
        &self,
        object: &str,
        method: &str,
        arguments: &Table,
        what: &Rc<str>,
    ) -> Result<Vec<Table>, BusError> {
        let known = self.ids.borrow().get(object).copied();
        let id = match known {
            Some(id) => id,
            None => self.look_up(object, what).await?,
        };
        let mut reply = self.invoke_id(id, method, arguments, what).await?;
        // The id may have been of an earlier life of the service: then the bus itself says "not found", and nobody has
        // seen the call. A service that does not find something names its object.
        if known.is_some() && reply.status == status::NOT_FOUND && reply.object.is_none() {
            self.ids.borrow_mut().remove(object);
            let fresh = self.look_up(object, what).await?;
            if fresh != id {
                reply = self.invoke_id(fresh, method, arguments, what).await?;
            }
        }
        match reply.status {
            status::OK => Ok(reply.data.into_iter().filter_map(|fields| fields.data).collect()),
            code => Err(BusError::Status(code, what.to_string())),
        }
    }

    async fn invoke_id(
        &self,
        id: u32,
        method: &str,
        arguments: &Table,
        what: &Rc<str>,
    ) -> Result<Reply, BusError> {
        let message = Outgoing::new(kind::INVOKE, id)
            .number(attribute::OBJID, id)
            .text(attribute::METHOD, method)
            .and_then(|message| message.table(attribute::DATA, arguments));
        self.request(id, message, what, None).await
    }

    /// The id of an object, by asking the bus; it is remembered until the object goes.
    pub(super) async fn look_up(&self, object: &str, what: &Rc<str>) -> Result<u32, BusError> {
        let message = Outgoing::new(kind::LOOKUP, 0).text(attribute::OBJPATH, object);
        let reply = self.request(0, message, what, None).await?;
        if reply.status != status::OK {
            return Err(BusError::Status(reply.status, what.to_string()));
        }
        let named = |fields: &Fields| fields.path.as_deref() == Some(object);
        let id = reply.data.iter().find(|fields| named(fields)).and_then(|fields| fields.object);
        let id = id.ok_or_else(|| BusError::Status(status::NOT_FOUND, what.to_string()))?;
        let mut ids = self.ids.borrow_mut();
        if ids.len() >= limits::IDS {
            ids.clear();
        }
        ids.insert(object.to_owned(), id);
        Ok(id)
    }
}
