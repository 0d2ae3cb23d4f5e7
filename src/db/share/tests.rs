use std::time::Duration;

use futures_util::FutureExt as _;

use super::*;

fn in_ms(ms: u64) -> Instant {
    Instant::now() + Duration::from_millis(ms)
}

#[tokio::test]
async fn one_user_waits_behind_oneself_and_others_do_not() {
    let shares = Shares::new(2, 3);
    let first = shares.place("ann", in_ms(0)).await.unwrap();
    let second = shares.place("ann", in_ms(0)).await.unwrap();
    let others =
        [shares.place("bob", in_ms(0)).await.unwrap(), shares.place("cleo", in_ms(0)).await.unwrap()];
    let error = shares.place("ann", in_ms(20)).await.unwrap_err();
    assert!(matches!(error, DbError::Unavailable(_)), "{error}");

    // In the order in which they came.
    let mut third = Box::pin(shares.place("ann", in_ms(5_000)));
    let mut fourth = Box::pin(shares.place("ann", in_ms(5_000)));
    assert!((&mut third).now_or_never().is_none() && (&mut fourth).now_or_never().is_none());
    drop(first);
    assert!((&mut fourth).now_or_never().is_none());
    let third = third.await.unwrap();
    drop(second);
    let fourth = fourth.await.unwrap();

    drop((third, fourth, others));
    assert!(shares.users().is_empty(), "nothing is kept of those who have nothing");
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_those_who_went_away_do_not_fill_it() {
    let shares = Shares::new(1, 2);
    let held = shares.place("ann", in_ms(0)).await.unwrap();
    let far = in_ms(60_000);
    let (mut one, mut two) = (Box::pin(shares.place("ann", far)), Box::pin(shares.place("ann", far)));
    assert!((&mut one).now_or_never().is_none() && (&mut two).now_or_never().is_none());
    let error = shares.place("ann", far).now_or_never().expect("at once").unwrap_err();
    assert!(error.to_string().contains("too many"), "{error}");

    drop(one);
    let mut three = Box::pin(shares.place("ann", far));
    assert!((&mut three).now_or_never().is_none(), "there is room again");
    drop(held);
    drop(two.await.unwrap());
    drop(three.await.unwrap());
    assert!(shares.users().is_empty());
}

#[tokio::test]
async fn a_place_handed_to_one_who_has_gone_comes_back() {
    let shares = Shares::new(1, 9);
    let held = shares.place("ann", in_ms(0)).await.unwrap();
    let mut gone = Box::pin(shares.place("ann", in_ms(60_000)));
    let mut stays = Box::pin(shares.place("ann", in_ms(60_000)));
    assert!((&mut gone).now_or_never().is_none() && (&mut stays).now_or_never().is_none());
    // It is on its way when the one who waited goes.
    drop(held);
    drop(gone);
    drop(stays.await.unwrap());
    drop(shares.place("ann", in_ms(0)).await.unwrap());
    assert!(shares.users().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_more_than_their_share_and_nobody_is_forgotten() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let (shares, now) = (Shares::new(3, 1_000), Arc::new([const { AtomicUsize::new(0) }; 4]));
    let all = (0..400).map(|i| {
        let (shares, now) = (shares.clone(), now.clone());
        tokio::spawn(async move {
            let user = i % 4;
            let name = format!("user {user}");
            let asked = shares.place(&name, in_ms(60_000));
            if i % 7 == 0 {
                // Some do not wait.
                return drop(tokio::time::timeout(Duration::from_micros(300), asked).await);
            }
            let place = asked.await.unwrap();
            assert!(now[user].fetch_add(1, Ordering::SeqCst) < 3);
            tokio::time::sleep(Duration::from_micros(500)).await;
            now[user].fetch_sub(1, Ordering::SeqCst);
            drop(place);
        })
    });
    futures_util::future::try_join_all(all.collect::<Vec<_>>()).await.unwrap();
    assert!(shares.users().is_empty());
}
