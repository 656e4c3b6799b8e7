//! Deployments in private networks are not reached unless that is permitted.

use fake_convex::{Convex, Options, Route};
use sync_engine::source::{ErrorClass, Source};
use sync_sources::convex::ConvexSource;

use crate::deployment::options;

#[test]
fn an_address_in_the_url_is_refused_at_once() {
    let convex = Convex::start(Options::default());
    for host in ["127.0.0.1", "[::1]", "169.254.169.254", "10.0.0.1", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"] {
        let mut options = options(&convex);
        options.reach.allow_private_addresses = false;
        options.reach.url.set_host(Some(host)).unwrap();
        let error = ConvexSource::with_options(options).err().unwrap();
        assert_eq!(error.class, ErrorClass::Configuration, "{host}");
        assert!(error.message.contains("allow_private_addresses=true"), "{host}: {}", error.message);
    }
}

#[test]
fn a_name_is_refused_when_it_is_resolved() {
    let convex = Convex::start(Options::default());
    let mut options = options(&convex);
    options.reach.allow_private_addresses = false;
    options.reach.url.set_host(Some("localhost")).unwrap();
    let source = ConvexSource::with_options(options.clone()).unwrap();
    let error = source.head().unwrap_err();
    assert_eq!(error.class, ErrorClass::Configuration);
    assert!(error.message.contains("allow_private_addresses=true"), "{}", error.message);
    assert!(convex.requests(Route::ListSnapshot).is_empty(), "nothing was sent");
    options.reach.allow_private_addresses = true;
    let permitted = options;
    ConvexSource::with_options(permitted).unwrap().head().unwrap();
}
