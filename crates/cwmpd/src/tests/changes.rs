//! Changes that the box tells of.

use std::time::Instant;

use cwmp_platform::Changes;

use super::*;

struct Told(mpsc::UnboundedReceiver<()>);

#[async_trait(?Send)]
impl Changes for Told {
    async fn changed(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending().await
        }
    }
}

#[test]
fn a_change_that_the_box_tells_of_is_notified_at_once() {
    scenario(async {
        let folder = tempfile::tempdir().unwrap();
        let acs = acs(folder.path()).await;
        let code = Rc::new(RefCell::new("before"));
        let (tell, told) = mpsc::unbounded_channel();
        let mut platform = bare("boot-1");
        let source = Rc::clone(&code);
        platform.expect_sources().returning_st(move || vec![Rc::new(Info(Rc::clone(&source))) as _]);
        let told = RefCell::new(Some(told));
        platform
            .expect_changes()
            .returning_st(move || told.take().map(|told| Box::new(Told(told)) as Box<dyn Changes>));
        let agent = Running::start(folder.path(), platform).await;
        assert_eq!(events(&session(&acs).await), ["0 BOOTSTRAP", "1 BOOT"]);

        code.replace("after");
        let change = Instant::now();
        tell.send(()).unwrap();
        assert_eq!(events(&session(&acs).await), ["4 VALUE CHANGE"]);
        // Far less than the look that is taken anyway.
        assert!(change.elapsed() < Duration::from_secs(8), "{:?}", change.elapsed());
        agent.stop().await;
    });
}
