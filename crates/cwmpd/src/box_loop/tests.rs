//! What the box makes of a protocol side that is silent, ends, or says what it must not.

use super::*;
use crate::border::Done;

#[tokio::test(start_paused = true)]
async fn a_protocol_side_that_ends_again_and_again_starts_later_and_later() {
    let waits = |deaths: u32| Revival::new(deaths).begin().as_secs();
    assert_eq!([0, 1, 2, 3, 6, 7, 1000].map(waits), [0, 1, 2, 4, 32, 60, 60]);
    let mut revival = Revival::new(5);
    tokio::time::advance(STEADY).await;
    assert_eq!((revival.begin(), revival.deaths), (Duration::ZERO, 1), "it has lived for long");
    revival.due().await;
    revival.put_off();
    let before = Instant::now();
    revival.due().await;
    assert_eq!(before.elapsed(), PUT_OFF);
}

#[tokio::test(start_paused = true)]
async fn an_order_ends_with_the_protocol_side_and_is_withdrawn_by_who_gives_it_up() {
    let (down, mut told) = mpsc::unbounded_channel();
    let side = ProtocolSide::new(down);
    let given_up = tokio::time::timeout(Duration::from_secs(1), side.order(Order::Ping)).await;
    assert!(given_up.is_err());
    assert_eq!(told.recv().await, Some(Down::Order(1, Order::Ping)));
    assert_eq!(told.recv().await, Some(Down::Cancel(1)));
    // An answer that comes too late is nobody's.
    side.done(1, Done::Over);
    let (answered, ()) = tokio::join!(side.order(Order::Ping), async { side.done(2, Done::Over) });
    assert_eq!(answered, Some(Done::Over));
    let (gone, ()) = tokio::join!(side.order(Order::Ping), async { side.gone() });
    assert_eq!((gone, side.order(Order::Ping).await), (None, None));
}

#[test]
fn signs_of_life_go_through_the_protocol_side_unless_it_is_known_to_be_down() {
    use std::os::{linux::net::SocketAddrExt, unix::net};
    let name = format!("cwmpd-signs-{}", std::process::id());
    let address = net::SocketAddr::from_abstract_name(&name).unwrap();
    let socket = net::UnixDatagram::bind_addr(&address).unwrap();
    socket.set_nonblocking(true).unwrap();
    let heard = || {
        let mut bytes = [0; 32];
        let count = socket.recv(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes[..count]).into_owned())
    };
    let test = async {
        let (down, mut told) = mpsc::unbounded_channel();
        let side = ProtocolSide::new(down);
        let notifier = Notifier::new(&format!("@{name}"), Some(Duration::from_secs(10))).unwrap();
        let mut signs = Signs::new(Some(Rc::new(notifier)));
        signs.give(&side, false);
        assert_eq!((told.recv().await, heard()), (Some(Down::Order(1, Order::Ping)), None));
        signs.give(&side, false);
        side.done(1, Done::Over);
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        assert_eq!((heard(), heard()), (Some("READY=1".to_owned()), None), "one question at a time");
        signs.give(&side, true);
        assert_eq!(heard(), Some("WATCHDOG=1".to_owned()));
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}
