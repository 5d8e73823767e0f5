//! What messages say (`ubusmsg.h`): their kinds, their attributes, and how requests are written.

use crate::{
    blob::{self, Attributes, Opened},
    blobmsg,
    error::{DecodeError, EncodeError},
    limits,
    value::Table,
};

/// Kinds of messages.
pub(crate) mod kind {
    pub(crate) const HELLO: u8 = 0;
    pub(crate) const STATUS: u8 = 1;
    pub(crate) const DATA: u8 = 2;
    pub(crate) const LOOKUP: u8 = 4;
    pub(crate) const INVOKE: u8 = 5;
    pub(crate) const ADD_OBJECT: u8 = 6;
    pub(crate) const REMOVE_OBJECT: u8 = 7;
    pub(crate) const SUBSCRIBE: u8 = 8;
    pub(crate) const UNSUBSCRIBE: u8 = 9;
    pub(crate) const NOTIFY: u8 = 10;
}

/// Ids of attributes.
pub(crate) mod attribute {
    pub(crate) const STATUS: u8 = 1;
    pub(crate) const OBJPATH: u8 = 2;
    pub(crate) const OBJID: u8 = 3;
    pub(crate) const METHOD: u8 = 4;
    pub(crate) const OBJTYPE: u8 = 5;
    pub(crate) const SIGNATURE: u8 = 6;
    pub(crate) const DATA: u8 = 7;
    pub(crate) const TARGET: u8 = 8;
    pub(crate) const ACTIVE: u8 = 9;
    pub(crate) const NO_REPLY: u8 = 10;
    pub(crate) const USER: u8 = 12;
    pub(crate) const GROUP: u8 = 13;
}

/// The object of the bus itself that registers and sends events.
pub(crate) const EVENT_OBJECT: u32 = 1;

/// The attributes of a message that was received; what it does not have is None.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fields {
    pub(crate) status: Option<u32>,
    pub(crate) path: Option<String>,
    pub(crate) object: Option<u32>,
    pub(crate) method: Option<String>,
    pub(crate) object_type: Option<u32>,
    pub(crate) signature: Option<Table>,
    pub(crate) data: Option<Table>,
    pub(crate) target: Option<u32>,
    pub(crate) active: Option<bool>,
    pub(crate) no_reply: bool,
    pub(crate) user: Option<String>,
    pub(crate) group: Option<String>,
}

impl Fields {
    /// Reads the attributes in the blob of a message; ids that this crate does not know are skipped.
    pub(crate) fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Self::default();
        for attribute in Attributes(body) {
            let attribute = attribute?;
            let (id, data) = (attribute.id, attribute.data);
            match id {
                attribute::STATUS => fields.status = Some(number(id, data)?),
                attribute::OBJPATH => fields.path = Some(text(id, data)?),
                attribute::OBJID => fields.object = Some(number(id, data)?),
                attribute::METHOD => fields.method = Some(text(id, data)?),
                attribute::OBJTYPE => fields.object_type = Some(number(id, data)?),
                attribute::SIGNATURE => fields.signature = Some(blobmsg::decode(data)?),
                attribute::DATA => fields.data = Some(blobmsg::decode(data)?),
                attribute::TARGET => fields.target = Some(number(id, data)?),
                attribute::ACTIVE => fields.active = Some(flag(id, data)?),
                attribute::NO_REPLY => fields.no_reply = flag(id, data)?,
                attribute::USER => fields.user = Some(text(id, data)?),
                attribute::GROUP => fields.group = Some(text(id, data)?),
                _ => {}
            }
        }
        Ok(fields)
    }
}

fn number(id: u8, data: &[u8]) -> Result<u32, DecodeError> {
    data.try_into().map(u32::from_be_bytes).map_err(|_| DecodeError::Field(id))
}

fn flag(id: u8, data: &[u8]) -> Result<bool, DecodeError> {
    match data {
        [byte] => Ok(*byte != 0),
        _ => Err(DecodeError::Field(id)),
    }
}

fn text(id: u8, data: &[u8]) -> Result<String, DecodeError> {
    match data.split_last() {
        Some((0, text)) if !text.contains(&0) => Ok(String::from_utf8_lossy(text).into_owned()),
        _ => Err(DecodeError::Field(id)),
    }
}

/// A message on its way out.
pub(crate) struct Outgoing {
    bytes: Vec<u8>,
    blob: Opened,
}

impl Outgoing {
    pub(crate) fn new(kind: u8, peer: u32) -> Self {
        let mut bytes = vec![0, kind, 0, 0];
        bytes.extend_from_slice(&peer.to_be_bytes());
        let blob = blob::open(&mut bytes, 0, false);
        Self { bytes, blob }
    }

    pub(crate) fn number(mut self, id: u8, number: u32) -> Self {
        blob::put(&mut self.bytes, id, &number.to_be_bytes());
        self
    }

    pub(crate) fn flag(mut self, id: u8, flag: bool) -> Self {
        blob::put(&mut self.bytes, id, &[flag.into()]);
        self
    }

    pub(crate) fn text(mut self, id: u8, text: &str) -> Result<Self, EncodeError> {
        if text.as_bytes().contains(&0) {
            return Err(EncodeError::Nul);
        }
        if text.len() > limits::NAME_BYTES {
            return Err(EncodeError::LongName);
        }
        let opened = blob::open(&mut self.bytes, id, false);
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
        blob::close(&mut self.bytes, opened);
        Ok(self)
    }

    pub(crate) fn table(mut self, id: u8, table: &Table) -> Result<Self, EncodeError> {
        let values = blobmsg::encode(table)?;
        blob::put(&mut self.bytes, id, &values);
        Ok(self)
    }

    /// The message for the wire with its number.
    pub(crate) fn finish(mut self, seq: u16) -> Result<Vec<u8>, EncodeError> {
        blob::close(&mut self.bytes, self.blob);
        if self.bytes.len() > limits::FRAME_BYTES {
            return Err(EncodeError::TooLarge);
        }
        if let Some(place) = self.bytes.get_mut(2..4) {
            place.copy_from_slice(&seq.to_be_bytes());
        }
        Ok(self.bytes)
    }
}
