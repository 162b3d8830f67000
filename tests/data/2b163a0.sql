BEGIN TRANSACTION;
CREATE TABLE drafts (
    id TEXT NOT NULL PRIMARY KEY,
    created_at TEXT NOT NULL,
    body TEXT NOT NULL
);
INSERT INTO "drafts" VALUES('ac36af1957134ee18eade393868ad9fb','2026-11-27T07:49:23.930869+00:00','{"id": "ac36af1957134ee18eade393868ad9fb", "team_id": "T0KICK", "channel_id": "C0LIVE", "requester": "U0MAYA", "meeting": {"id": "e3e70682-c209-4cac-a29f-6fbed82c07cd", "title": "Weekly AMA"}, "session_id": "8d723104-f773-43c1-b458-a748e9bb17bc", "targets": [{"participant_id": "e443df78-9558-467f-9ba9-1faf7a024204", "custom_id": "app-e443df78", "name": "Ana", "preset": "group_call_participant", "live": true, "checked": true, "called_at": null, "peers": [], "outcome": null, "why": null, "detail": "", "back_at": null}], "reason": "spamming links", "created_at": "2026-11-27T07:49:23.930869+00:00", "repeats": null, "asks": false}');
INSERT INTO "drafts" VALUES('d322c71bb8f14e2bb63c7a08b2c58fe4','2026-11-27T07:49:23.982056+00:00','{"id": "d322c71bb8f14e2bb63c7a08b2c58fe4", "team_id": "T0KICK", "channel_id": "C0LIVE", "requester": "U0HAL", "meeting": {"id": "e3e70682-c209-4cac-a29f-6fbed82c07cd", "title": "Weekly AMA"}, "session_id": "8d723104-f773-43c1-b458-a748e9bb17bc", "targets": [{"participant_id": "e443df78-9558-467f-9ba9-1faf7a024204", "custom_id": "app-e443df78", "name": "Ana", "preset": "group_call_participant", "live": true, "checked": true, "called_at": null, "peers": [], "outcome": null, "why": null, "detail": "", "back_at": null}], "reason": "spamming links", "created_at": "2026-11-27T07:49:23.982056+00:00", "repeats": null, "asks": true}');
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    team_id TEXT,
    app_id TEXT,
    kick_id TEXT,
    at TEXT NOT NULL,
    what TEXT NOT NULL,
    actor TEXT,
    note TEXT NOT NULL
);
INSERT INTO "events" VALUES(1,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','5af8988e8c94481a8d269253b74826a5','2026-11-26T05:27:31.934325+00:00','asked','U0MAYA','1 in Weekly AMA: spamming links');
INSERT INTO "events" VALUES(2,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','5af8988e8c94481a8d269253b74826a5','2026-11-26T05:27:31.954452+00:00','claimed',NULL,'moderator in Weekly AMA');
INSERT INTO "events" VALUES(3,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','5af8988e8c94481a8d269253b74826a5','2026-11-26T05:27:31.957707+00:00','called',NULL,'Tom [participant:f7c1bd87-4da5-4709-9471-3d60c8a70639]');
INSERT INTO "events" VALUES(4,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','5af8988e8c94481a8d269253b74826a5','2026-11-26T05:27:31.965347+00:00','settled',NULL,'Tom [participant:f7c1bd87-4da5-4709-9471-3d60c8a70639]: kicked (confirmed)');
INSERT INTO "events" VALUES(5,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','5af8988e8c94481a8d269253b74826a5','2026-11-26T05:27:31.968254+00:00','finished',NULL,'');
INSERT INTO "events" VALUES(6,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','5af8988e8c94481a8d269253b74826a5','2026-11-27T05:27:33.804304+00:00','not told',NULL,'result: chat.postMessage: HTTP 500');
INSERT INTO "events" VALUES(7,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','be98324f3fce4d97be526f9dfb13fd79','2026-11-27T07:27:33.862999+00:00','asked','U0HAL','1 in Weekly AMA: spamming links');
INSERT INTO "events" VALUES(8,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','be98324f3fce4d97be526f9dfb13fd79','2026-11-27T07:38:35.807082+00:00','expired',NULL,'not decided in time');
INSERT INTO "events" VALUES(9,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','5836625ec1e34577928f08b54c48fb58','2026-11-27T07:38:35.955546+00:00','asked','U0HAL','1 in Weekly AMA: spamming links');
INSERT INTO "events" VALUES(10,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','5836625ec1e34577928f08b54c48fb58','2026-11-27T07:38:36.007599+00:00','cancelled','U0HAL','');
INSERT INTO "events" VALUES(11,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','1399ce7f34c141cd9ee6c5c66897645f','2026-11-27T07:38:36.102341+00:00','asked','U0MAYA','1 in Weekly AMA: spamming links');
INSERT INTO "events" VALUES(12,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','1399ce7f34c141cd9ee6c5c66897645f','2026-11-27T07:38:36.118582+00:00','refused',NULL,'The policy protects them by now (webinar_presenter).');
INSERT INTO "events" VALUES(13,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','aff949655ada4e22bdf60036ef5a13d2','2026-11-27T07:38:36.527772+00:00','asked','U0MAYA','2 in Weekly AMA: spamming links');
INSERT INTO "events" VALUES(14,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','aff949655ada4e22bdf60036ef5a13d2','2026-11-27T07:38:36.570292+00:00','claimed',NULL,'moderator in Weekly AMA');
INSERT INTO "events" VALUES(15,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','aff949655ada4e22bdf60036ef5a13d2','2026-11-27T07:38:36.574723+00:00','called',NULL,'Ana [participant:e443df78-9558-467f-9ba9-1faf7a024204]');
INSERT INTO "events" VALUES(16,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','aff949655ada4e22bdf60036ef5a13d2','2026-11-27T07:38:36.580650+00:00','called',NULL,'Olu [participant:1846d424-c17c-4279-a3c6-612f48268673]');
INSERT INTO "events" VALUES(17,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','aff949655ada4e22bdf60036ef5a13d2','2026-11-27T07:38:49.303957+00:00','settled',NULL,'Ana [participant:e443df78-9558-467f-9ba9-1faf7a024204]: unknown (no answer)');
INSERT INTO "events" VALUES(18,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','aff949655ada4e22bdf60036ef5a13d2','2026-11-27T07:38:49.309465+00:00','settled',NULL,'Olu [participant:1846d424-c17c-4279-a3c6-612f48268673]: unknown (empty answer)');
INSERT INTO "events" VALUES(19,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','aff949655ada4e22bdf60036ef5a13d2','2026-11-27T07:38:49.314667+00:00','finished',NULL,'');
INSERT INTO "events" VALUES(20,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','b1c29b1187174273bcb9496017ad4fe3','2026-11-27T07:38:55.738944+00:00','asked','U0LEA','7 in Weekly AMA: spamming links');
INSERT INTO "events" VALUES(21,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','b1c29b1187174273bcb9496017ad4fe3','2026-11-27T07:38:55.761316+00:00','claimed',NULL,'lead in Weekly AMA');
INSERT INTO "events" VALUES(22,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','b1c29b1187174273bcb9496017ad4fe3','2026-11-27T07:38:55.763521+00:00','settled',NULL,'Olu [participant:1846d424-c17c-4279-a3c6-612f48268673]: failed (protected)');
INSERT INTO "events" VALUES(23,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','b1c29b1187174273bcb9496017ad4fe3','2026-11-27T07:38:55.765620+00:00','called',NULL,'Tom [participant:f7c1bd87-4da5-4709-9471-3d60c8a70639]');
INSERT INTO "events" VALUES(24,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','b1c29b1187174273bcb9496017ad4fe3','2026-11-27T07:38:55.768542+00:00','called',NULL,'Jun [participant:23a7711a-8133-4876-b7eb-dcd9e87a1613]');
INSERT INTO "events" VALUES(25,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','b1c29b1187174273bcb9496017ad4fe3','2026-11-27T07:38:55.774045+00:00','called',NULL,'Mia [participant:fcbd04c3-4021-4ef7-8ca5-a5a19e4d6e3c]');
INSERT INTO "events" VALUES(26,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','b1c29b1187174273bcb9496017ad4fe3','2026-11-27T07:38:55.779812+00:00','called',NULL,'Camille [participant:b4862b21-fb97-4435-8856-1712e8e5216a]');
INSERT INTO "events" VALUES(27,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','b1c29b1187174273bcb9496017ad4fe3','2026-11-27T07:38:55.785630+00:00','called',NULL,'<!channel> *free* `coins` <https://evil.example|click> gpj.exe &amp; [participant:5487ce1e-af19-422a-99b8-a714e61a441c]');
INSERT INTO "events" VALUES(28,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','b1c29b1187174273bcb9496017ad4fe3','2026-11-27T07:38:55.792217+00:00','called',NULL,'custom:user-404 [custom:user-404]');
INSERT INTO "events" VALUES(29,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','b1c29b1187174273bcb9496017ad4fe3','2026-11-27T07:38:55.770924+00:00','settled',NULL,'Tom [participant:f7c1bd87-4da5-4709-9471-3d60c8a70639]: failed (refused)');
INSERT INTO "events" VALUES(30,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','b1c29b1187174273bcb9496017ad4fe3','2026-11-27T07:38:55.776802+00:00','settled',NULL,'Jun [participant:23a7711a-8133-4876-b7eb-dcd9e87a1613]: failed (busy)');
INSERT INTO "events" VALUES(31,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','b1c29b1187174273bcb9496017ad4fe3','2026-11-27T07:38:55.788463+00:00','settled',NULL,'Camille [participant:b4862b21-fb97-4435-8856-1712e8e5216a]: kicked (confirmed)');
INSERT INTO "events" VALUES(32,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','b1c29b1187174273bcb9496017ad4fe3','2026-11-27T07:38:55.792127+00:00','settled',NULL,'<!channel> *free* `coins` <https://evil.example|click> gpj.exe &amp; [participant:5487ce1e-af19-422a-99b8-a714e61a441c]: failed (unreachable)');
INSERT INTO "events" VALUES(33,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','b1c29b1187174273bcb9496017ad4fe3','2026-11-27T07:38:55.800146+00:00','settled',NULL,'custom:user-404 [custom:user-404]: failed (nobody)');
INSERT INTO "events" VALUES(34,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','b1c29b1187174273bcb9496017ad4fe3','2026-11-27T07:38:55.822388+00:00','settled',NULL,'Mia [participant:fcbd04c3-4021-4ef7-8ca5-a5a19e4d6e3c]: gone (not found)');
INSERT INTO "events" VALUES(35,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','b1c29b1187174273bcb9496017ad4fe3','2026-11-27T07:38:55.826987+00:00','finished',NULL,'');
INSERT INTO "events" VALUES(36,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','4651c73c5070445c9994c6ea0380c871','2026-11-27T07:39:02.233406+00:00','asked','U0HAL','2 in Weekly AMA: spamming links');
INSERT INTO "events" VALUES(37,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','4651c73c5070445c9994c6ea0380c871','2026-11-27T07:39:02.299544+00:00','approved','U0MO','moderator in Weekly AMA');
INSERT INTO "events" VALUES(38,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','4651c73c5070445c9994c6ea0380c871','2026-11-27T07:39:02.329391+00:00','claimed',NULL,'moderator in Weekly AMA');
INSERT INTO "events" VALUES(39,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','4651c73c5070445c9994c6ea0380c871','2026-11-27T07:39:22.703061+00:00','taken over',NULL,'');
INSERT INTO "events" VALUES(40,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','4651c73c5070445c9994c6ea0380c871','2026-11-27T07:39:22.725669+00:00','settled',NULL,'Jun [participant:23a7711a-8133-4876-b7eb-dcd9e87a1613]: failed (not tried)');
INSERT INTO "events" VALUES(41,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','4651c73c5070445c9994c6ea0380c871','2026-11-27T07:39:22.739273+00:00','settled',NULL,'Mia [participant:fcbd04c3-4021-4ef7-8ca5-a5a19e4d6e3c]: failed (not tried)');
INSERT INTO "events" VALUES(42,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','4651c73c5070445c9994c6ea0380c871','2026-11-27T07:39:22.749467+00:00','finished',NULL,'');
INSERT INTO "events" VALUES(43,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b',NULL,'2026-11-27T07:49:22.823997+00:00','refused','U0STAN','The policy gives you no role. The operator of this bot can change that.');
INSERT INTO "events" VALUES(44,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','da6e6307fa4b45f58391401695a155c0','2026-11-27T07:49:22.909457+00:00','asked','U0HAL','1 in Weekly AMA: spamming links');
INSERT INTO "events" VALUES(45,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','209aa91ea2d6462d8c8279f5eff27caf','2026-11-27T07:49:22.973606+00:00','asked','U0HAL','1 in Weekly AMA: spamming links');
INSERT INTO "events" VALUES(46,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','c6acb042db0c4cc78a855c2eb11e5998','2026-11-27T07:49:23.048700+00:00','asked','U0HAL','1 in Weekly AMA: spamming links');
INSERT INTO "events" VALUES(47,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','da6e6307fa4b45f58391401695a155c0','2026-11-27T07:49:23.100302+00:00','refused','U0STAN','The policy gives you no role. The operator of this bot can change that.');
INSERT INTO "events" VALUES(48,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','fbb26c87bb5a430291fcea47c525b6d9','2026-11-27T07:49:24.049485+00:00','asked','U0HAL','1 in Weekly AMA: spamming links');
INSERT INTO "events" VALUES(49,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','fbb26c87bb5a430291fcea47c525b6d9','2026-11-27T07:49:24.128544+00:00','denied','U0MO','let them speak');
INSERT INTO "events" VALUES(50,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','1c88d02983fd479a9ea5d341cb0b3534','2026-11-27T07:49:24.256999+00:00','asked','U0HAL','1 in Weekly AMA: spamming links');
INSERT INTO "events" VALUES(51,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','53c21c03f08e46afa8bdc4db3b77781c','2026-11-27T07:49:24.396285+00:00','asked','U0MAYA','2 in Weekly AMA: spamming links');
INSERT INTO "events" VALUES(52,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','53c21c03f08e46afa8bdc4db3b77781c','2026-11-27T07:49:24.424305+00:00','claimed',NULL,'moderator in Weekly AMA');
INSERT INTO "events" VALUES(53,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','53c21c03f08e46afa8bdc4db3b77781c','2026-11-27T07:49:24.428773+00:00','called',NULL,'Jun [participant:23a7711a-8133-4876-b7eb-dcd9e87a1613]');
INSERT INTO "events" VALUES(54,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','53c21c03f08e46afa8bdc4db3b77781c','2026-11-27T07:49:24.438218+00:00','called',NULL,'Mia [participant:fcbd04c3-4021-4ef7-8ca5-a5a19e4d6e3c]');
INSERT INTO "events" VALUES(55,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','53c21c03f08e46afa8bdc4db3b77781c','2026-11-27T07:49:24.465643+00:00','settled',NULL,'Jun [participant:23a7711a-8133-4876-b7eb-dcd9e87a1613]: gone (left)');
INSERT INTO "events" VALUES(56,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','53c21c03f08e46afa8bdc4db3b77781c','2026-11-27T07:49:36.458165+00:00','settled',NULL,'Mia [participant:fcbd04c3-4021-4ef7-8ca5-a5a19e4d6e3c]: failed (still there)');
INSERT INTO "events" VALUES(57,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','53c21c03f08e46afa8bdc4db3b77781c','2026-11-27T07:49:36.461725+00:00','finished',NULL,'');
INSERT INTO "events" VALUES(58,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','0a65002ded7a40688ddfbadd52ad071e','2026-11-27T07:49:36.853033+00:00','asked','U0MAYA','2 in Weekly AMA: spamming links');
INSERT INTO "events" VALUES(59,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','0a65002ded7a40688ddfbadd52ad071e','2026-11-27T07:49:36.898112+00:00','claimed',NULL,'moderator in Weekly AMA');
INSERT INTO "events" VALUES(60,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','0a65002ded7a40688ddfbadd52ad071e','2026-11-27T07:49:36.912250+00:00','called',NULL,'Mallory [participant:a3f2c9bf-9c63-46b9-90f2-44556f25e2a2]');
INSERT INTO "events" VALUES(61,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','0a65002ded7a40688ddfbadd52ad071e','2026-11-27T07:49:36.923089+00:00','called',NULL,'Yusuf [participant:12e0c8b2-bad6-40fb-9948-8dec4f65d4d9]');
INSERT INTO "events" VALUES(62,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','f1057018993247b9b6a601017bc5e1cf','2026-11-27T07:49:37.007619+00:00','asked','U0MAYA','1 in Weekly AMA: spamming links');
INSERT INTO "events" VALUES(63,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','f1057018993247b9b6a601017bc5e1cf','2026-11-27T07:49:37.020837+00:00','claimed',NULL,'moderator in Weekly AMA');
INSERT INTO "events" VALUES(64,'T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','3ec3eeb28ca04506af4dd2126db63305','2026-11-27T07:49:53.070414+00:00','asked','U0MAYA','1 in Weekly AMA: spamming links');
CREATE TABLE kicks (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL UNIQUE,
    team_id TEXT NOT NULL,
    app_id TEXT NOT NULL,
    channel_id TEXT NOT NULL,
    meeting_id TEXT NOT NULL,
    meeting_title TEXT NOT NULL,
    session_id TEXT,
    requester TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at TEXT NOT NULL,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    expires_at TEXT,
    approver TEXT,
    decided_at TEXT,
    owner TEXT,
    lease_until TEXT,
    refusal TEXT NOT NULL,
    done_at TEXT
, repeats INTEGER, due_at TEXT);
INSERT INTO "kicks" VALUES(1,'5af8988e8c94481a8d269253b74826a5','VFF62D0DDCF','T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','C0LIVE','e3e70682-c209-4cac-a29f-6fbed82c07cd','Weekly AMA','8d723104-f773-43c1-b458-a748e9bb17bc','U0MAYA','spamming links','2026-11-26T05:27:31.934325+00:00','done',5,NULL,NULL,NULL,'a7c801b8b6754afabc6c316e76141f3a',NULL,'','2026-11-26T05:27:31.968254+00:00',NULL,NULL);
INSERT INTO "kicks" VALUES(2,'be98324f3fce4d97be526f9dfb13fd79','VFF89982E29','T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','C0LIVE','e3e70682-c209-4cac-a29f-6fbed82c07cd','Weekly AMA','8d723104-f773-43c1-b458-a748e9bb17bc','U0HAL','spamming links','2026-11-27T07:27:33.862999+00:00','expired',2,'2026-11-27T07:37:33.862999+00:00',NULL,NULL,NULL,NULL,'','2026-11-27T07:38:35.807082+00:00',NULL,NULL);
INSERT INTO "kicks" VALUES(3,'5836625ec1e34577928f08b54c48fb58','VAB0E220BCD','T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','C0LIVE','e3e70682-c209-4cac-a29f-6fbed82c07cd','Weekly AMA','8d723104-f773-43c1-b458-a748e9bb17bc','U0HAL','spamming links','2026-11-27T07:38:35.955546+00:00','cancelled',2,'2026-11-27T07:48:35.955546+00:00',NULL,NULL,NULL,NULL,'','2026-11-27T07:38:36.007599+00:00',NULL,NULL);
INSERT INTO "kicks" VALUES(4,'1399ce7f34c141cd9ee6c5c66897645f','V8432E507FF','T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','C0LIVE','e3e70682-c209-4cac-a29f-6fbed82c07cd','Weekly AMA','8d723104-f773-43c1-b458-a748e9bb17bc','U0MAYA','spamming links','2026-11-27T07:38:36.102341+00:00','refused',2,NULL,NULL,NULL,NULL,NULL,'The policy protects them by now (webinar_presenter).','2026-11-27T07:38:36.118582+00:00',NULL,NULL);
INSERT INTO "kicks" VALUES(5,'aff949655ada4e22bdf60036ef5a13d2','VFBCA69ADF7','T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','C0LIVE','e3e70682-c209-4cac-a29f-6fbed82c07cd','Weekly AMA','8d723104-f773-43c1-b458-a748e9bb17bc','U0MAYA','spamming links','2026-11-27T07:38:36.527772+00:00','done',11,NULL,NULL,NULL,'a7c801b8b6754afabc6c316e76141f3a',NULL,'','2026-11-27T07:38:49.314667+00:00',NULL,NULL);
INSERT INTO "kicks" VALUES(6,'b1c29b1187174273bcb9496017ad4fe3','V1C65117464','T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','C0LIVE','e3e70682-c209-4cac-a29f-6fbed82c07cd','Weekly AMA','8d723104-f773-43c1-b458-a748e9bb17bc','U0LEA','spamming links','2026-11-27T07:38:55.738944+00:00','done',17,NULL,NULL,NULL,'a7c801b8b6754afabc6c316e76141f3a',NULL,'','2026-11-27T07:38:55.826987+00:00',NULL,NULL);
INSERT INTO "kicks" VALUES(7,'4651c73c5070445c9994c6ea0380c871','VF53258E594','T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','C0LIVE','e3e70682-c209-4cac-a29f-6fbed82c07cd','Weekly AMA','8d723104-f773-43c1-b458-a748e9bb17bc','U0HAL','spamming links','2026-11-27T07:39:02.233406+00:00','done',7,'2026-11-27T07:49:02.233406+00:00','U0MO','2026-11-27T07:39:02.299544+00:00','47844c99162344e1a446c657d2551aa5',NULL,'','2026-11-27T07:39:22.749467+00:00',NULL,NULL);
INSERT INTO "kicks" VALUES(8,'da6e6307fa4b45f58391401695a155c0','V2B52DD45AE','T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','C0LIVE','e3e70682-c209-4cac-a29f-6fbed82c07cd','Weekly AMA','8d723104-f773-43c1-b458-a748e9bb17bc','U0HAL','spamming links','2026-11-27T07:49:22.909457+00:00','waiting',1,'2026-11-27T07:59:22.909457+00:00',NULL,NULL,NULL,NULL,'',NULL,NULL,'2026-11-27T07:59:22.909457+00:00');
INSERT INTO "kicks" VALUES(9,'209aa91ea2d6462d8c8279f5eff27caf','VEAD853D683','T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','C0LIVE','e3e70682-c209-4cac-a29f-6fbed82c07cd','Weekly AMA','8d723104-f773-43c1-b458-a748e9bb17bc','U0HAL','spamming links','2026-11-27T07:49:22.973606+00:00','waiting',1,'2026-11-27T07:59:22.973606+00:00',NULL,NULL,NULL,NULL,'',NULL,NULL,'2026-11-27T07:59:22.973606+00:00');
INSERT INTO "kicks" VALUES(10,'c6acb042db0c4cc78a855c2eb11e5998','VFA4140E2AA','T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','C0LIVE','e3e70682-c209-4cac-a29f-6fbed82c07cd','Weekly AMA','8d723104-f773-43c1-b458-a748e9bb17bc','U0HAL','spamming links','2026-11-27T07:49:23.048700+00:00','waiting',1,'2026-11-27T07:59:23.048700+00:00',NULL,NULL,NULL,NULL,'',NULL,NULL,'2026-11-27T07:59:23.048700+00:00');
INSERT INTO "kicks" VALUES(11,'fbb26c87bb5a430291fcea47c525b6d9','VD2DBFA6C4D','T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','C0LIVE','e3e70682-c209-4cac-a29f-6fbed82c07cd','Weekly AMA','8d723104-f773-43c1-b458-a748e9bb17bc','U0HAL','spamming links','2026-11-27T07:49:24.049485+00:00','denied',2,'2026-11-27T07:59:24.049485+00:00','U0MO','2026-11-27T07:49:24.128544+00:00',NULL,NULL,'let them speak','2026-11-27T07:49:24.128544+00:00',NULL,NULL);
INSERT INTO "kicks" VALUES(12,'1c88d02983fd479a9ea5d341cb0b3534','VE8385E6E53','T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','C0LIVE','e3e70682-c209-4cac-a29f-6fbed82c07cd','Weekly AMA','8d723104-f773-43c1-b458-a748e9bb17bc','U0HAL','spamming links','2026-11-27T07:49:24.256999+00:00','waiting',1,'2026-11-27T07:59:24.256999+00:00',NULL,NULL,NULL,NULL,'',NULL,NULL,'2026-11-27T07:59:24.256999+00:00');
INSERT INTO "kicks" VALUES(13,'53c21c03f08e46afa8bdc4db3b77781c','V1733DE9CC3','T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','C0LIVE','e3e70682-c209-4cac-a29f-6fbed82c07cd','Weekly AMA','8d723104-f773-43c1-b458-a748e9bb17bc','U0MAYA','spamming links','2026-11-27T07:49:24.396285+00:00','done',11,NULL,NULL,NULL,'47844c99162344e1a446c657d2551aa5',NULL,'','2026-11-27T07:49:36.461725+00:00',7,NULL);
INSERT INTO "kicks" VALUES(14,'0a65002ded7a40688ddfbadd52ad071e','V73B07F5E3A','T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','C0LIVE','e3e70682-c209-4cac-a29f-6fbed82c07cd','Weekly AMA','8d723104-f773-43c1-b458-a748e9bb17bc','U0MAYA','spamming links','2026-11-27T07:49:36.853033+00:00','running',4,NULL,NULL,NULL,'47844c99162344e1a446c657d2551aa5','2026-11-27T07:49:51.923089+00:00','',NULL,NULL,'2026-11-27T07:49:51.923089+00:00');
INSERT INTO "kicks" VALUES(15,'f1057018993247b9b6a601017bc5e1cf','VA56682F233','T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','C0LIVE','e3e70682-c209-4cac-a29f-6fbed82c07cd','Weekly AMA','8d723104-f773-43c1-b458-a748e9bb17bc','U0MAYA','spamming links','2026-11-27T07:49:37.007619+00:00','running',2,NULL,NULL,NULL,'47844c99162344e1a446c657d2551aa5','2026-11-27T07:49:52.020837+00:00','',NULL,NULL,'2026-11-27T07:49:52.020837+00:00');
INSERT INTO "kicks" VALUES(16,'3ec3eeb28ca04506af4dd2126db63305','VB0A3EA130A','T0KICK','5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b','C0LIVE','e3e70682-c209-4cac-a29f-6fbed82c07cd','Weekly AMA','8d723104-f773-43c1-b458-a748e9bb17bc','U0MAYA','spamming links','2026-11-27T07:49:53.070414+00:00','ready',1,NULL,NULL,NULL,NULL,NULL,'',NULL,NULL,'2026-11-27T07:49:58.070414+00:00');
CREATE TABLE notices (
    kick_id TEXT NOT NULL REFERENCES kicks (id),
    kind TEXT NOT NULL,
    since TEXT NOT NULL,
    due_at TEXT,
    version INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    channel TEXT,
    ts TEXT,
    doubtful BOOLEAN NOT NULL,
    PRIMARY KEY (kick_id, kind)
);
INSERT INTO "notices" VALUES('5af8988e8c94481a8d269253b74826a5','result','2026-11-26T05:27:31.968254+00:00',NULL,4,1,NULL,NULL,0);
INSERT INTO "notices" VALUES('be98324f3fce4d97be526f9dfb13fd79','card','2026-11-27T07:38:35.807082+00:00',NULL,4,0,'C0MODS','1795764453.000001',0);
INSERT INTO "notices" VALUES('be98324f3fce4d97be526f9dfb13fd79','word','2026-11-27T07:38:35.807082+00:00',NULL,2,0,NULL,NULL,0);
INSERT INTO "notices" VALUES('5836625ec1e34577928f08b54c48fb58','card','2026-11-27T07:38:36.007599+00:00',NULL,4,0,'C0MODS','1795764455.000002',0);
INSERT INTO "notices" VALUES('1399ce7f34c141cd9ee6c5c66897645f','word','2026-11-27T07:38:36.118582+00:00',NULL,2,0,NULL,NULL,0);
INSERT INTO "notices" VALUES('aff949655ada4e22bdf60036ef5a13d2','result','2026-11-27T07:38:49.314667+00:00',NULL,2,0,'C0LIVE','1795764457.000003',0);
INSERT INTO "notices" VALUES('b1c29b1187174273bcb9496017ad4fe3','result','2026-11-27T07:38:55.826987+00:00',NULL,2,0,'C0LIVE','1795764463.000004',0);
INSERT INTO "notices" VALUES('4651c73c5070445c9994c6ea0380c871','card','2026-11-27T07:39:22.749467+00:00',NULL,6,0,'C0MODS','1795764470.000005',0);
INSERT INTO "notices" VALUES('4651c73c5070445c9994c6ea0380c871','result','2026-11-27T07:39:22.749467+00:00',NULL,2,0,'C0LIVE','1795764470.000006',0);
INSERT INTO "notices" VALUES('da6e6307fa4b45f58391401695a155c0','card','2026-11-27T07:49:22.909457+00:00',NULL,2,0,'C0MODS','1795764470.000007',0);
INSERT INTO "notices" VALUES('209aa91ea2d6462d8c8279f5eff27caf','card','2026-11-27T07:49:22.973606+00:00',NULL,2,0,'C0MODS','1795764471.000008',0);
INSERT INTO "notices" VALUES('c6acb042db0c4cc78a855c2eb11e5998','card','2026-11-27T07:49:23.048700+00:00',NULL,2,0,'C0MODS','1795764471.000009',0);
INSERT INTO "notices" VALUES('fbb26c87bb5a430291fcea47c525b6d9','card','2026-11-27T07:49:24.128544+00:00',NULL,4,0,'C0MODS','1795764472.000010',0);
INSERT INTO "notices" VALUES('fbb26c87bb5a430291fcea47c525b6d9','word','2026-11-27T07:49:24.128544+00:00','2026-11-27T07:49:51.702651+00:00',4,2,NULL,NULL,0);
INSERT INTO "notices" VALUES('1c88d02983fd479a9ea5d341cb0b3534','card','2026-11-27T07:49:24.256999+00:00','2026-11-27T07:49:51.705373+00:00',4,2,NULL,NULL,0);
INSERT INTO "notices" VALUES('53c21c03f08e46afa8bdc4db3b77781c','result','2026-11-27T07:49:36.461725+00:00','2026-11-27T07:49:41.471581+00:00',2,1,NULL,NULL,1);
CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY);
INSERT INTO "schema_version" VALUES(1);
INSERT INTO "schema_version" VALUES(2);
CREATE TABLE targets (
    kick_id TEXT NOT NULL REFERENCES kicks (id),
    position INTEGER NOT NULL,
    participant_id TEXT,
    custom_id TEXT,
    name TEXT NOT NULL,
    preset TEXT,
    live BOOLEAN NOT NULL,
    checked BOOLEAN NOT NULL,
    called_at TEXT,
    peers TEXT NOT NULL,
    outcome TEXT,
    why TEXT,
    detail TEXT NOT NULL,
    back_at TEXT,
    PRIMARY KEY (kick_id, position)
);
INSERT INTO "targets" VALUES('5af8988e8c94481a8d269253b74826a5',0,'f7c1bd87-4da5-4709-9471-3d60c8a70639','app-f7c1bd87','Tom','group_call_participant',1,1,'2026-11-26T05:27:31.957707+00:00','[{"peer_id": "eb2083e6-ce16-4dba-8ff1-8e0242af9fc3", "joined_at": "2026-11-26T05:16:31.575000+00:00"}]','kicked','confirmed','',NULL);
INSERT INTO "targets" VALUES('be98324f3fce4d97be526f9dfb13fd79',0,'f7c1bd87-4da5-4709-9471-3d60c8a70639','app-f7c1bd87','Tom','group_call_participant',1,1,NULL,'[]',NULL,NULL,'',NULL);
INSERT INTO "targets" VALUES('5836625ec1e34577928f08b54c48fb58',0,'f7c1bd87-4da5-4709-9471-3d60c8a70639','app-f7c1bd87','Tom','group_call_participant',1,1,NULL,'[]',NULL,NULL,'',NULL);
INSERT INTO "targets" VALUES('1399ce7f34c141cd9ee6c5c66897645f',0,'23a7711a-8133-4876-b7eb-dcd9e87a1613','app-23a7711a','Jun','group_call_participant',1,1,NULL,'[]',NULL,NULL,'',NULL);
INSERT INTO "targets" VALUES('aff949655ada4e22bdf60036ef5a13d2',0,'e443df78-9558-467f-9ba9-1faf7a024204','app-e443df78','Ana','group_call_participant',1,1,'2026-11-27T07:38:36.574723+00:00','[{"peer_id": "17e0aa3c-0398-4ca8-aa7e-9d498c778ea6", "joined_at": "2026-11-26T05:17:31.575000+00:00"}]','unknown','no answer','no whole answer',NULL);
INSERT INTO "targets" VALUES('aff949655ada4e22bdf60036ef5a13d2',1,'1846d424-c17c-4279-a3c6-612f48268673','app-1846d424','Olu','group_call_participant',1,1,'2026-11-27T07:38:36.580650+00:00','[{"peer_id": "a0116be5-ab0c-4681-88f8-e3d0d3290a4c", "joined_at": "2026-11-26T05:19:31.575000+00:00"}]','unknown','empty answer','',NULL);
INSERT INTO "targets" VALUES('b1c29b1187174273bcb9496017ad4fe3',0,'f7c1bd87-4da5-4709-9471-3d60c8a70639','app-f7c1bd87','Tom','group_call_participant',1,1,'2026-11-27T07:38:55.765620+00:00','[{"peer_id": "8c1745a7-9a6a-4f92-8ca7-4147f6be1f72", "joined_at": "2026-11-27T07:27:33.812000+00:00"}]','failed','refused','HTTP 403: Authentication error (the API token needs the permission Realtime or Realtime Admin, on this account)',NULL);
INSERT INTO "targets" VALUES('b1c29b1187174273bcb9496017ad4fe3',1,'23a7711a-8133-4876-b7eb-dcd9e87a1613','app-23a7711a','Jun','group_call_participant',1,1,'2026-11-27T07:38:55.768542+00:00','[{"peer_id": "b5d32b16-6619-4cb1-9710-37d1b83e90ec", "joined_at": "2026-11-26T05:18:31.575000+00:00"}]','failed','busy','HTTP 429: Please wait and consider throttling your request speed',NULL);
INSERT INTO "targets" VALUES('b1c29b1187174273bcb9496017ad4fe3',2,'1846d424-c17c-4279-a3c6-612f48268673','app-1846d424','Olu','group_call_participant',1,1,NULL,'[]','failed','protected','webinar_presenter',NULL);
INSERT INTO "targets" VALUES('b1c29b1187174273bcb9496017ad4fe3',3,'fcbd04c3-4021-4ef7-8ca5-a5a19e4d6e3c','app-fcbd04c3','Mia','group_call_participant',1,1,'2026-11-27T07:38:55.774045+00:00','[]','gone','not found','',NULL);
INSERT INTO "targets" VALUES('b1c29b1187174273bcb9496017ad4fe3',4,'b4862b21-fb97-4435-8856-1712e8e5216a','user-1042','Camille','group_call_participant',1,1,'2026-11-27T07:38:55.779812+00:00','[{"peer_id": "baf3897a-3e70-416a-9548-5822de1b372a", "joined_at": "2026-11-26T05:21:31.575000+00:00"}]','kicked','confirmed','',NULL);
INSERT INTO "targets" VALUES('b1c29b1187174273bcb9496017ad4fe3',5,'5487ce1e-af19-422a-99b8-a714e61a441c','user-6666','<!channel> *free* `coins` <https://evil.example|click> gpj.exe &amp;','group_call_participant',1,1,'2026-11-27T07:38:55.785630+00:00','[{"peer_id": "247a8333-f7b0-47d2-8da8-056c3d15eef7", "joined_at": "2026-11-26T05:24:31.575000+00:00"}]','failed','unreachable','no connection',NULL);
INSERT INTO "targets" VALUES('b1c29b1187174273bcb9496017ad4fe3',6,NULL,'user-404','custom:user-404',NULL,0,0,'2026-11-27T07:38:55.792217+00:00','[]','failed','nobody','HTTP 404: No user found with id user-404',NULL);
INSERT INTO "targets" VALUES('4651c73c5070445c9994c6ea0380c871',0,'23a7711a-8133-4876-b7eb-dcd9e87a1613','app-23a7711a','Jun','group_call_participant',1,1,NULL,'[]','failed','not tried','',NULL);
INSERT INTO "targets" VALUES('4651c73c5070445c9994c6ea0380c871',1,'fcbd04c3-4021-4ef7-8ca5-a5a19e4d6e3c','app-fcbd04c3','Mia','group_call_participant',1,1,NULL,'[]','failed','not tried','',NULL);
INSERT INTO "targets" VALUES('da6e6307fa4b45f58391401695a155c0',0,'1846d424-c17c-4279-a3c6-612f48268673','app-1846d424','Olu','group_call_participant',1,1,NULL,'[]',NULL,NULL,'',NULL);
INSERT INTO "targets" VALUES('209aa91ea2d6462d8c8279f5eff27caf',0,'fcbd04c3-4021-4ef7-8ca5-a5a19e4d6e3c','app-fcbd04c3','Mia','group_call_participant',1,1,NULL,'[]',NULL,NULL,'',NULL);
INSERT INTO "targets" VALUES('c6acb042db0c4cc78a855c2eb11e5998',0,'23a7711a-8133-4876-b7eb-dcd9e87a1613','app-23a7711a','Jun','group_call_participant',1,1,NULL,'[]',NULL,NULL,'',NULL);
INSERT INTO "targets" VALUES('fbb26c87bb5a430291fcea47c525b6d9',0,'e443df78-9558-467f-9ba9-1faf7a024204','app-e443df78','Ana','group_call_participant',1,1,NULL,'[]',NULL,NULL,'',NULL);
INSERT INTO "targets" VALUES('1c88d02983fd479a9ea5d341cb0b3534',0,'f7c1bd87-4da5-4709-9471-3d60c8a70639','app-f7c1bd87','Tom','group_call_participant',1,1,NULL,'[]',NULL,NULL,'',NULL);
INSERT INTO "targets" VALUES('53c21c03f08e46afa8bdc4db3b77781c',0,'23a7711a-8133-4876-b7eb-dcd9e87a1613','app-23a7711a','Jun','group_call_participant',1,1,'2026-11-27T07:49:24.428773+00:00','[{"peer_id": "b5d32b16-6619-4cb1-9710-37d1b83e90ec", "joined_at": "2026-11-26T05:18:31.575000+00:00"}]','gone','left','no whole answer','2026-11-27T07:49:24.440000+00:00');
INSERT INTO "targets" VALUES('53c21c03f08e46afa8bdc4db3b77781c',1,'fcbd04c3-4021-4ef7-8ca5-a5a19e4d6e3c','app-fcbd04c3','Mia','group_call_participant',1,1,'2026-11-27T07:49:24.438218+00:00','[{"peer_id": "5129fb7c-6288-41a5-8c45-782198a6416d", "joined_at": "2026-11-27T07:38:55.848000+00:00"}]','failed','still there','no whole answer',NULL);
INSERT INTO "targets" VALUES('0a65002ded7a40688ddfbadd52ad071e',0,'a3f2c9bf-9c63-46b9-90f2-44556f25e2a2','user-9001','Mallory','group_call_participant',1,1,'2026-11-27T07:49:36.912250+00:00','[{"peer_id": "e005b860-51ef-4922-be43-c49e149818d1", "joined_at": "2026-11-26T05:26:31.575000+00:00"}]',NULL,NULL,'',NULL);
INSERT INTO "targets" VALUES('0a65002ded7a40688ddfbadd52ad071e',1,'12e0c8b2-bad6-40fb-9948-8dec4f65d4d9','user-2210','Yusuf','group_call_participant',1,1,'2026-11-27T07:49:36.923089+00:00','[{"peer_id": "4a84eb03-8d1f-49b7-8d2b-9deb1beb3711", "joined_at": "2026-11-26T05:27:31.575000+00:00"}, {"peer_id": "7d41e602-eece-428b-bf7b-118e820865d6", "joined_at": "2026-11-26T05:27:31.575000+00:00"}, {"peer_id": "38c1962e-9148-424f-aac1-c14f30e9c5cc", "joined_at": "2026-11-26T05:23:31.575000+00:00"}]',NULL,NULL,'',NULL);
INSERT INTO "targets" VALUES('f1057018993247b9b6a601017bc5e1cf',0,'f7c1bd87-4da5-4709-9471-3d60c8a70639','app-f7c1bd87','Tom','group_call_participant',1,1,NULL,'[]',NULL,NULL,'',NULL);
INSERT INTO "targets" VALUES('3ec3eeb28ca04506af4dd2126db63305',0,'5487ce1e-af19-422a-99b8-a714e61a441c','user-6666','<!channel> *free* `coins` <https://evil.example|click> gpj.exe &amp;','group_call_participant',1,1,NULL,'[]',NULL,NULL,'',NULL);
CREATE INDEX kicks_by_requester ON kicks (requester, created_at);
CREATE INDEX kicks_by_channel ON kicks (team_id, channel_id, number);
CREATE INDEX events_by_kick ON events (kick_id);
CREATE INDEX drafts_by_age ON drafts (created_at);
CREATE INDEX kicks_by_due ON kicks (due_at);
CREATE INDEX notices_by_due ON notices (due_at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('kicks',16);
INSERT INTO "sqlite_sequence" VALUES('events',64);
COMMIT;
