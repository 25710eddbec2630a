BEGIN TRANSACTION;
CREATE TABLE cases (
	"key" TEXT NOT NULL, 
	state TEXT NOT NULL, 
	ticket TEXT NOT NULL, 
	opened_at TEXT NOT NULL, 
	closed_at TEXT, 
	reason TEXT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY ("key")
)
 STRICT

;
INSERT INTO "cases" VALUES('C-q','open','','2026-11-22T10:00:00.000000+00:00',NULL,'','{"$":"Case","findings":{"$":"tuple","items":["F-q"]},"key":"C-q","severity":"high","title":"q changed by hand"}');
CREATE TABLE declarations (
	id TEXT NOT NULL, 
	received_at TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	case_key TEXT NOT NULL, 
	person TEXT NOT NULL, 
	body TEXT NOT NULL, 
	statement TEXT NOT NULL, 
	said_in TEXT NOT NULL, 
	PRIMARY KEY (id)
)
 STRICT

;
INSERT INTO "declarations" VALUES('d1','2026-11-22T10:00:00.000000+00:00','review','C-q','kim','{"$":"Review","accepted":true,"by":{"$":"Proof","evidence":"-----BEGIN","how":"signature","person":"kim","principal":"kim","received_at":{"$":"time","value":"2026-11-22T10:00:00+00:00"},"said_at":{"$":"time","value":"2026-11-22T10:00:00+00:00"}},"case":"C-q","id":"d1","reason":"fine"}','signed','d1');
CREATE TABLE driftwarden (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
)
 STRICT

;
INSERT INTO "driftwarden" VALUES(4);
CREATE TABLE events (
	seq INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	body TEXT NOT NULL, 
	hash TEXT NOT NULL, 
	PRIMARY KEY (seq)
)
 STRICT

;
INSERT INTO "events" VALUES(1,'2026-11-22T10:00:00.000000+00:00','finding.opened','{"finding":"F-q","run":"r1"}','19d8e5b7c9c97bb37f5b0b2382f24b48bd55b90997a2c48e3c3e666dac5b3783');
INSERT INTO "events" VALUES(2,'2026-11-22T10:00:00.000000+00:00','verdict.reached','{"body_sha256":"154977667a0981a52736d21ba6956ddec163a404258d18c00e1f7e1f05604cba","finding":"F-q","inputs_sha256":"f428461fc9ae3d8c8611663b04b18bf0ac638ed74732dc26b14432ffb9290cde","outcome":"unauthorised","run":"r1"}','a39cb9359841d2511ffbec2176eab27f0af32a653bb80b9cb084e8b8fd3ed6b2');
INSERT INTO "events" VALUES(3,'2026-11-22T10:00:00.000000+00:00','case.opened','{"case":"C-q","findings":["F-q"],"run":"r1"}','a780bf5094db52535545628f0d3bd27c869254f97ee0e89be25bb33d800451af');
INSERT INTO "events" VALUES(4,'2026-11-22T10:00:00.000000+00:00','note','{"run":"r1"}','bca473fbd90ddaf0d0535abe04e0eb3a21203e6c1de5b399bb24e3d5a0dff229');
INSERT INTO "events" VALUES(5,'2026-11-22T10:00:00.000000+00:00','scan.ended','{"document_sha256":"ab5674e60b38bbbbe9bd4e8f42e69b7f0629e6738181ccae8a56d9ca021f64e2","run":"r1","status":"violations"}','0e0c22dc213213999328a5bfb5cc79d7f85a58b67567fe69780e3f0a63db0493');
INSERT INTO "events" VALUES(6,'2026-11-22T10:00:00.000000+00:00','case.reviewed','{"body_sha256":"a66c6da12f7e86a9f443c118ef8ed3e42b9f9acd5f111033041f74a3474a5f35","case":"C-q","declaration":"d1","person":"kim","statement_sha256":"4a3cdfae6f291c8f544daea5b72905cf9e74c1ed427d831ad0d7ca00c73c794d"}','d8c555c0195f5f190142cac032bad3a7bc35f16d2a47e8eca139b3687aeaf925');
INSERT INTO "events" VALUES(7,'2026-11-22T10:00:00.000000+00:00','authority.begun','{"looser":[]}','8a03a90eba920596de726f3053b22a62e789f0beb5c95b2cdb54c29e68a210d8');
CREATE TABLE findings (
	"row" INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	first_seen TEXT NOT NULL, 
	last_seen TEXT NOT NULL, 
	closed_at TEXT, 
	judgement_sha256 TEXT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY ("row")
)
 STRICT

;
INSERT INTO "findings" VALUES(1,'F-q','unauthorised','2026-11-22T10:00:00.000000+00:00','2026-11-22T10:00:00.000000+00:00',NULL,'fbfdb735601773f431b33272141f5f77304fbf44bba6e0657b554b22af7a5db9','{"$":"Finding","changes":{"$":"tuple","items":[{"$":"JudgedChange","change":{"$":"Change","account":"123456789012","action":"sqs:SetQueueAttributes","actor":{"$":"Actor","arn":"arn:aws:sts::123456789012:assumed-role/Dev/dana","confidence":0.9,"how":"session","kind":"person","name":"dana"},"channel":"console","event_ids":{"$":"tuple","items":["e1"]},"region":"eu-west-1","time":{"$":"time","value":"2026-11-22T10:00:00+00:00"}},"verdict":{"$":"Verdict","outcome":"unauthorised","tests":{"$":"tuple","items":[{"$":"Test","evidence":"no reference","name":"ticket","result":"fail"}]}}}]},"drifts":{"$":"tuple","items":[{"$":"Drift","address":"aws_sqs_queue.q","attribute":"visibility_timeout_seconds","declared":30,"key":{"$":"Key","account":"123456789012","id":"q","region":"eu-west-1","type":"aws_sqs_queue"},"kind":"changed","live":60}]},"id":"F-q","key":{"$":"Key","account":"123456789012","id":"q","region":"eu-west-1","type":"aws_sqs_queue"},"verdict":{"$":"Verdict","outcome":"unauthorised","tests":{"$":"tuple","items":[{"$":"Test","evidence":"no reference","name":"ticket","result":"fail"}]}}}');
CREATE TABLE inputs (
	sha256 TEXT NOT NULL, 
	body BLOB NOT NULL, 
	PRIMARY KEY (sha256)
)
 STRICT

;
INSERT INTO "inputs" VALUES('f428461fc9ae3d8c8611663b04b18bf0ac638ed74732dc26b14432ffb9290cde',X'789C4D8ED10AC2300C45FF25F8E60A6D1F04FB2AA21FB03711A91AB56C75A5CD0A63F4DF4D078A100239DC1CEE0C2B30D0BA5B87040DBC5CA2214E60E685D3187A64EC087D02739AFFD2FB8CEFFA62438843C6FBE5CA6FD0395F19FD0CCE5741B6FD887C6AA9374229A1752BB7464A9EF5B2A13490C8520D7D8D50CE4C233E98ED8E07A15894A6C45D18447C72578C503E66D03A73');
CREATE TABLE outbox (
	id INTEGER NOT NULL, 
	dedup_key TEXT NOT NULL, 
	case_key TEXT, 
	action TEXT NOT NULL, 
	payload TEXT NOT NULL, 
	state TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	next_at TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	lease_until TEXT, 
	fence INTEGER NOT NULL, 
	attempts INTEGER NOT NULL, 
	remote_ref TEXT NOT NULL, 
	error TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (dedup_key), 
	FOREIGN KEY(case_key) REFERENCES cases ("key")
)
 STRICT

;
INSERT INTO "outbox" VALUES(1,'r1/0/open/C-q','C-q','open','{"$":"Open","case":{"$":"Case","findings":{"$":"tuple","items":["F-q"]},"key":"C-q","severity":"high","title":"q changed by hand"}}','waiting','2026-11-22T10:00:00.000000+00:00','2026-11-22T10:00:00.000000+00:00','',NULL,0,0,'','');
CREATE TABLE policy_files (
	id INTEGER NOT NULL, 
	path TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	commit_id TEXT NOT NULL, 
	author TEXT NOT NULL, 
	seen_at TEXT NOT NULL, 
	PRIMARY KEY (id)
)
 STRICT

;
CREATE TABLE readings (
	key_sha256 TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	attributes TEXT NOT NULL, 
	attributes_sha256 TEXT NOT NULL, 
	since TEXT NOT NULL, 
	accepted_at TEXT NOT NULL, 
	why TEXT NOT NULL, 
	PRIMARY KEY (key_sha256)
)
 STRICT

;
INSERT INTO "readings" VALUES('392208061a4d5f1d46dfec42b2bb4680ab18ff9aba29b26256db5f52b449313f','{"$":"Key","account":"123456789012","id":"q","region":"eu-west-1","type":"aws_sqs_queue"}','{"delay_seconds":0,"kms":{"$":"Secret","digest":"abababababababababababababababababababababababababababababababab"},"policy":{"$":"Unknown","why":"denied"}}','aa22021d24c34620c3d59a7ebdc22b2a98963554f090a2127cb8ac5df52889f4','2026-11-22T10:00:00.000000+00:00','2026-11-22T10:00:00.000000+00:00','baseline');
CREATE TABLE scans (
	run_id TEXT NOT NULL, 
	started_at TEXT NOT NULL, 
	finished_at TEXT, 
	status TEXT, 
	config_sha256 TEXT NOT NULL, 
	ruleset_sha256 TEXT NOT NULL, 
	document BLOB, 
	PRIMARY KEY (run_id)
)
 STRICT

;
INSERT INTO "scans" VALUES('r1','2026-11-22T09:59:00.000000+00:00','2026-11-22T10:00:00.000000+00:00','violations','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr',X'789CAB562A4ECE48CD4D54B2524A29CA4C2B294F2C4A49CDD32F4E4ECCD33754AA0500B2280AFA');
INSERT INTO "scans" VALUES('r2','2026-11-22T10:00:00.000000+00:00',NULL,NULL,'','',NULL);
CREATE TABLE settings (
	seq INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	at TEXT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (seq)
)
 STRICT

;
INSERT INTO "settings" VALUES(1,'authority','2026-11-22T10:00:00.000000+00:00','{"a":1}');
CREATE TABLE states (
	id INTEGER NOT NULL, 
	run_id TEXT NOT NULL, 
	stack TEXT NOT NULL, 
	current INTEGER NOT NULL, 
	first_read TEXT NOT NULL, 
	last_read TEXT NOT NULL, 
	body_sha256 TEXT NOT NULL, 
	body BLOB NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run_id) REFERENCES scans (run_id)
)
 STRICT

;
INSERT INTO "states" VALUES(1,'r1','shop',1,'2026-11-22T10:00:00.000000+00:00','2026-11-22T10:00:00.000000+00:00','28b78f2347964409d46801e5292fbb3c4472d7bd9620f9a671564a96a399ced5',X'789CA551CB4EC3400CFC1564712469B709AF5C3980C40D8E085566E3A6AB6E5E6B4721AAF2EF78D303AA045CD893673C7E8CF7089750C0ABA0D00B61095780D6B643230CC571C9C9D07952DE09D54ABE81D964F9F5CDEDDDFDDA6CE07DD68AB20CC44C4B098EBCE59EB7FD4003A5BD3640937E18509DF5E8EA5FFB9ED887A85156E853227C7A4C8CC2714F8114DBB6AE9D5C4840E729C01CC797AE228EE2F5FF5EAE730E34FDECE2AF9D9F69FABE9BE2B303A9B854AED72050E5DA46010DC9A82B2FCE64EAA2B1B381D1971AF3AE21AC6236DB19AB5ADF5A94530BCE8AD50A6D4D09C7BF5BF1BEED52D92D40954CC1A18722D750D01E62852A60FE02A65E930C');
CREATE TABLE tolerated_hits (
	id TEXT NOT NULL, 
	first_seen TEXT NOT NULL, 
	last_seen TEXT NOT NULL, 
	count INTEGER NOT NULL, 
	PRIMARY KEY (id)
)
 STRICT

;
CREATE TABLE trail_checkpoints (
	feed TEXT NOT NULL, 
	shard TEXT NOT NULL, 
	kept_at TEXT NOT NULL, 
	reader TEXT NOT NULL, 
	body BLOB NOT NULL, 
	PRIMARY KEY (feed, shard)
)
 STRICT

;
CREATE TABLE trail_entries (
	event TEXT NOT NULL, 
	sort TEXT NOT NULL, 
	action TEXT NOT NULL, 
	time TEXT NOT NULL, 
	size INTEGER NOT NULL, 
	digest TEXT NOT NULL, 
	reader TEXT NOT NULL, 
	body BLOB NOT NULL, 
	PRIMARY KEY (event)
)
 STRICT

;
CREATE TABLE trail_gaps (
	sha256 TEXT NOT NULL, 
	feed TEXT NOT NULL, 
	found_at TEXT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (sha256)
)
 STRICT

;
CREATE TABLE trail_hours (
	account TEXT NOT NULL, 
	region TEXT NOT NULL, 
	hour TEXT NOT NULL, 
	events INTEGER NOT NULL, 
	newest TEXT NOT NULL, 
	PRIMARY KEY (account, region, hour)
)
 STRICT

;
CREATE TABLE trail_keys (
	"key" TEXT NOT NULL, 
	day TEXT NOT NULL, 
	arn TEXT NOT NULL, 
	account TEXT NOT NULL, 
	calls INTEGER NOT NULL, 
	source_ip TEXT NOT NULL, 
	PRIMARY KEY ("key", day)
)
 STRICT

;
CREATE TABLE trail_names (
	name INTEGER NOT NULL, 
	event TEXT NOT NULL, 
	PRIMARY KEY (name, event)
)
 STRICT

;
CREATE TABLE units (
	id INTEGER NOT NULL, 
	run_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	name TEXT NOT NULL, 
	args TEXT NOT NULL, 
	state TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	lease_until TEXT, 
	fence INTEGER NOT NULL, 
	attempts INTEGER NOT NULL, 
	error TEXT NOT NULL, 
	result BLOB, 
	PRIMARY KEY (id), 
	UNIQUE (run_id, kind, name), 
	FOREIGN KEY(run_id) REFERENCES scans (run_id)
)
 STRICT

;
INSERT INTO "units" VALUES(1,'r2','live','sqs','{}','waiting','',NULL,0,0,'',NULL);
CREATE TABLE verdicts (
	id INTEGER NOT NULL, 
	finding_id TEXT NOT NULL, 
	run_id TEXT NOT NULL, 
	at TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	body TEXT NOT NULL, 
	inputs_sha256 TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run_id) REFERENCES scans (run_id), 
	FOREIGN KEY(inputs_sha256) REFERENCES inputs (sha256)
)
 STRICT

;
INSERT INTO "verdicts" VALUES(1,'F-q','r1','2026-11-22T10:00:00.000000+00:00','unauthorised','{"$":"Finding","changes":{"$":"tuple","items":[{"$":"JudgedChange","change":{"$":"Change","account":"123456789012","action":"sqs:SetQueueAttributes","actor":{"$":"Actor","arn":"arn:aws:sts::123456789012:assumed-role/Dev/dana","confidence":0.9,"how":"session","kind":"person","name":"dana"},"channel":"console","event_ids":{"$":"tuple","items":["e1"]},"region":"eu-west-1","time":{"$":"time","value":"2026-11-22T10:00:00+00:00"}},"verdict":{"$":"Verdict","outcome":"unauthorised","tests":{"$":"tuple","items":[{"$":"Test","evidence":"no reference","name":"ticket","result":"fail"}]}}}]},"drifts":{"$":"tuple","items":[{"$":"Drift","address":"aws_sqs_queue.q","attribute":"visibility_timeout_seconds","declared":30,"key":{"$":"Key","account":"123456789012","id":"q","region":"eu-west-1","type":"aws_sqs_queue"},"kind":"changed","live":60}]},"id":"F-q","key":{"$":"Key","account":"123456789012","id":"q","region":"eu-west-1","type":"aws_sqs_queue"},"verdict":{"$":"Verdict","outcome":"unauthorised","tests":{"$":"tuple","items":[{"$":"Test","evidence":"no reference","name":"ticket","result":"fail"}]}}}','f428461fc9ae3d8c8611663b04b18bf0ac638ed74732dc26b14432ffb9290cde');
CREATE INDEX scans_finished ON scans (finished_at);
CREATE UNIQUE INDEX findings_open ON findings (id) WHERE closed_at IS NULL;
CREATE INDEX cases_state ON cases (state);
CREATE INDEX events_kind ON events (kind);
CREATE INDEX trail_entries_action ON trail_entries (action);
CREATE INDEX trail_entries_time ON trail_entries (time);
CREATE INDEX trail_gaps_found ON trail_gaps (found_at);
CREATE INDEX declarations_received ON declarations (received_at);
CREATE INDEX declarations_case ON declarations (case_key);
CREATE INDEX settings_name ON settings (name, seq);
CREATE INDEX policy_files_path ON policy_files (path, id);
CREATE INDEX units_of_run ON units (run_id, state);
CREATE INDEX verdicts_of_finding ON verdicts (finding_id);
CREATE INDEX states_read ON states (last_read);
CREATE INDEX states_of_stack ON states (stack, current);
CREATE INDEX outbox_of_case ON outbox (case_key, state);
CREATE INDEX outbox_due ON outbox (state, next_at);
CREATE TRIGGER events_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events is append-only'); END;
CREATE TRIGGER events_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events is append-only'); END;
CREATE TRIGGER events_replace BEFORE INSERT ON events WHEN EXISTS (SELECT 1 FROM events WHERE seq = NEW.seq) BEGIN SELECT RAISE(ABORT, 'events is append-only'); END;
CREATE TRIGGER verdicts_update BEFORE UPDATE ON verdicts BEGIN SELECT RAISE(ABORT, 'verdicts is append-only'); END;
CREATE TRIGGER verdicts_delete BEFORE DELETE ON verdicts BEGIN SELECT RAISE(ABORT, 'verdicts is append-only'); END;
CREATE TRIGGER verdicts_replace BEFORE INSERT ON verdicts WHEN EXISTS (SELECT 1 FROM verdicts WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'verdicts is append-only'); END;
CREATE TRIGGER inputs_update BEFORE UPDATE ON inputs BEGIN SELECT RAISE(ABORT, 'inputs is append-only'); END;
CREATE TRIGGER inputs_delete BEFORE DELETE ON inputs BEGIN SELECT RAISE(ABORT, 'inputs is append-only'); END;
CREATE TRIGGER inputs_replace BEFORE INSERT ON inputs WHEN EXISTS (SELECT 1 FROM inputs WHERE sha256 = NEW.sha256) BEGIN SELECT RAISE(ABORT, 'inputs is append-only'); END;
CREATE TRIGGER declarations_update BEFORE UPDATE ON declarations BEGIN SELECT RAISE(ABORT, 'declarations is append-only'); END;
CREATE TRIGGER declarations_delete BEFORE DELETE ON declarations BEGIN SELECT RAISE(ABORT, 'declarations is append-only'); END;
CREATE TRIGGER declarations_replace BEFORE INSERT ON declarations WHEN EXISTS (SELECT 1 FROM declarations WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'declarations is append-only'); END;
CREATE TRIGGER settings_update BEFORE UPDATE ON settings BEGIN SELECT RAISE(ABORT, 'settings is append-only'); END;
CREATE TRIGGER settings_delete BEFORE DELETE ON settings BEGIN SELECT RAISE(ABORT, 'settings is append-only'); END;
CREATE TRIGGER settings_replace BEFORE INSERT ON settings WHEN EXISTS (SELECT 1 FROM settings WHERE seq = NEW.seq) BEGIN SELECT RAISE(ABORT, 'settings is append-only'); END;
CREATE TRIGGER policy_files_update BEFORE UPDATE ON policy_files BEGIN SELECT RAISE(ABORT, 'policy_files is append-only'); END;
CREATE TRIGGER policy_files_delete BEFORE DELETE ON policy_files BEGIN SELECT RAISE(ABORT, 'policy_files is append-only'); END;
CREATE TRIGGER policy_files_replace BEFORE INSERT ON policy_files WHEN EXISTS (SELECT 1 FROM policy_files WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'policy_files is append-only'); END;
COMMIT;
PRAGMA application_id = 1148348020;
PRAGMA user_version = 4;
