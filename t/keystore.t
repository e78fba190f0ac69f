# The embedded keystore behind amt_vault: secrets through REST, files, modes,
# key rotation, wrong keys, damage.

use strict;
use warnings;
use lib 't/lib';
use AMT::Test;
use Digest::SHA qw(sha256_hex);
use MIME::Base64;
use Test::More;
use Time::HiRes qw(sleep);

my $root = $> == 0;
my $user = $root ? 'www-data' : scalar getpwuid $>;
my $key = 'keystore-test-key';

my $t = AMT::Test->new(workers => 2, ($root ? (user => $user) : ()));
my $c = AMT::Test->new($root ? (user => $user) : ());
my $dir = $t->dir;
my $file = "$dir/db/keystore.db";
my $keys = "$dir/keystore.key";

for my $d ($dir, $c->dir) {
    mkdir "$d/db";
    chown((getpwnam $user)[2, 3], "$d/db") if $root;
}

sub hexkey { join '', map { sprintf '%02x', ($_ * 7 + $_[0]) & 255 } 0 .. 31 }

sub keyfile {
    my ($s, @keys) = @_;
    my $path = $s->write_file('keystore.key', join('', map { "$_\n" } @keys),
        0600);
    chown 0, 0, $path if $root;
    return $path;
}

sub conf {
    my ($s, %o) = @_;
    my $d = $s->dir;
    my $directive = $o{directive}
        // "amt_keystore $d/db/keystore.db key=$d/keystore.key "
            . 'busy=400ms rewrite=100ms;';
    my $internal = $o{internal} // 'internal;';
    my $location = $o{location} // '/_vault/';

    $s->write_file('api_keys', "test:" . sha256_hex($key) . "::all\n", 0600);

    return (
        main => <<'EOF',
thread_pool amt_read  threads=2;
thread_pool amt_write threads=1;
thread_pool amt_auth  threads=1 max_queue=8;
EOF
        http => <<EOF);
    amt_store      sqlite:%%DIR%%/db/amt.db;
    amt_vault      /_vault/ secret;
    amt_api_keys   %%DIR%%/api_keys;
    amt_audit_log  %%DIR%%/logs/audit.log;

    server {
        listen 127.0.0.1:%%PORT:http%%;
        location /api/v1/ { amt_api; }
    }
    server {
        listen unix:%%DIR%%/amt.sock;
        location $location { $internal $directive }
        location = /try { rewrite ^ /_vault/secret/data/devices/x; }
    }
EOF
}

sub guid { sprintf '%08x-0000-4000-8000-0123456789ab', $_[0] }

sub put {
    my ($n, %o) = @_;
    return $t->post('/api/v1/devices', key => $key,
        json => { guid => guid($n), tags => [], %o })->{status};
}

sub sql {
    my ($sql) = @_;
    open my $p, '-|', 'sqlite3', '-cmd', '.timeout 3000', $file, $sql
        or die "sqlite3: $!";
    my $out = join '', <$p>;
    $out =~ s/\n\z//;
    return $out;
}

# A reload, and no worker of before is left
sub reload {
    delete $t->{ua};
    return $t->reload && $t->wait_for(sub { $t->workers(all => 1) == 2 });
}

sub health {
    return $t->get('/api/v1/health', key => $key)->{json}{secretStore};
}

# What nginx -t refuses

keyfile($c, hexkey(1));
my ($good, $text) = $c->check(conf($c));
ok($good, 'nginx -t') or diag($text);
ok(!glob($c->dir . '/db/*'), 'makes no file');

my $d = $c->dir;
for my $case (
    ['not internal', qr/not "internal"/, internal => ''],
    ['no key', qr/needs "key=FILE"/, directive => "amt_keystore $d/db/k busy=1s;"],
    ['no such key', qr/cannot be opened/,
        directive => "amt_keystore $d/db/k key=$d/none;"],
    ['two keys', qr/needs one "key=FILE"/,
        directive => "amt_keystore $d/db/k key=$d/a key=$d/b;"],
    ['versions', qr/versions=/,
        directive => "amt_keystore $d/db/k key=$d/keystore.key versions=0;"],
    ['parameter', qr/invalid parameter "x=1"/,
        directive => "amt_keystore $d/db/k key=$d/keystore.key x=1;"],
    ['directory', qr/must exist and be writable/,
        directive => "amt_keystore $d/none/k key=$d/keystore.key;"],
    ['location', qr/ends in/, location => '/_vault'],
    ['regex', qr/ends in/, location => '~ ^/_vault/'],
) {
    my ($name, $re, @o) = @$case;
    ($good, $text) = $c->check(conf($c, @o));
    ok(!$good && $text =~ $re, "refused: $name") or diag($text);
}

for my $case (
    ['mode 0640', qr/mode 0640.*chmod/, sub { chmod 0640, "$d/keystore.key" }],
    ['mode 0604', qr/mode 0604.*chmod/, sub { chmod 0604, "$d/keystore.key" }],
    ['empty', qr/no key in it/, sub { keyfile($c) }],
    ['a short key', qr/neither 64 hex/, sub { keyfile($c, 'abcd') }],
    ['half a key', qr/neither 64 hex/,
        sub { $c->write_file('keystore.key', 'abcd' x 8, 0400) }],
    ['a key twice', qr/twice/, sub { keyfile($c, (hexkey(1)) x 2) }],
    ['a directory', qr/not a regular file/,
        sub { unlink "$d/keystore.key"; mkdir "$d/keystore.key", 0700 }],
) {
    $case->[2]->();
    ($good, $text) = $c->check(conf($c));
    ok(!$good && $text =~ $case->[1], "key file refused: $case->[0]")
        or diag($text);
    unlike($text, qr/abcd/, 'without its content');
}
rmdir "$d/keystore.key";

SKIP: {
    skip 'not root', 2 unless $root;
    my $path = keyfile($c, hexkey(1));
    chown +(getpwnam 'nobody')[2], 0, $path;
    ($good, $text) = $c->check(conf($c));
    ok(!$good && $text =~ /belongs to user/, 'key file of somebody else')
        or diag($text);
    chown +(getpwnam $user)[2], 0, $path;
    ($good, $text) = $c->check(conf($c));
    ok($good, 'key file of the user of nginx') or diag($text);
}

for my $form (decode_base64(encode_base64(pack 'H*', hexkey(1))),
    encode_base64(pack('H*', hexkey(1)), '') . "\n",
    "# comment\n\n" . uc(hexkey(1)) . "\r\n")
{
    $c->write_file('keystore.key', $form, 0400);
    ($good, $text) = $c->check(conf($c));
    ok($good, 'form of the key: ' . length($form) . ' bytes') or diag($text);
}

# Secrets through REST

keyfile($t, hexkey(1));
$t->start(conf($t));

is((stat $file)[4], (getpwnam $user)[2], 'belongs to the workers');
is((stat $file)[2] & 07777, 0600, 'mode 0600');
is_deeply([@{health()->{status}}{qw(initialized sealed)}],
    [JSON::PP::true, JSON::PP::false], 'health');

is(put(1, amtpassword => 'P@ssw0rd-one', mpspassword => 'Mps-one'), 201,
    'a device with secrets');
is(sql('SELECT path, version FROM secret_values'),
    'secret/devices/' . guid(1) . '|1', 'one value');
is(put(1, amtpassword => 'P@ssw0rd-two'), 200, 'changed');
is(sql('SELECT max(version), count(*) FROM secret_values'), '2|2',
    'next version');
my $get = $t->get('/api/v1/devices/' . guid(1), key => $key)->{body};
unlike($get, qr/P\@ssw0rd|Mps-one/, 'never returned');

for my $f (glob "$dir/db/* $dir/logs/* $dir/body/*") {
    next if -d $f;
    unlike($t->read_file($f), qr/P\@ssw0rd|Mps-one/,
        'no secret in ' . $f =~ s{.*/}{}r);
}

my $s = $t->socket("unix:$dir/amt.sock");
my $answer = $t->exchange($s,
    "GET /_vault/secret/data/devices/x HTTP/1.0\r\n\r\n");
like($answer, qr{^HTTP/1\.\d 404 }, 'not for clients');
$s = $t->socket("unix:$dir/amt.sock");
$answer = $t->exchange($s, "GET /try HTTP/1.0\r\n\r\n");
like($answer, qr{^HTTP/1\.\d 403 }, 'not by an internal redirect');

is($t->delete('/api/v1/devices/' . guid(1) . '?isSecretToBeDeleted=true',
    key => $key)->{status}, 204, 'deleted');
is(sql('SELECT count(*) FROM secret_values'), 0, 'with its secrets');

# Rotation: the new key writes, the older ones read, then all is rewritten

my $last = AMT::Test::variant() eq 'valgrind' ? 40 : 160;
my $all = $last - 9;
put($_, amtpassword => "Old-$_-secret") for 10 .. $last;
is(sql('SELECT count(DISTINCT keyid), count(*) FROM secret_values'), "1|$all",
    'one key');
keyfile($t, hexkey(2), hexkey(1));
ok(reload(), 'reload with a second key');
ok($t->log_wait(qr/all values are encrypted with key [0-9a-f]{16} now/, 10),
    'rewritten');
is(sql('SELECT count(DISTINCT keyid), count(*) FROM secret_values'), "1|$all",
    'all have the new key');
keyfile($t, hexkey(2));
ok(reload(), 'reload without the old key');
is(put(10, mpspassword => 'merged'), 200, 'a value is read and written');
is(sql('SELECT max(version) FROM secret_values'), 2, 'as its next version');

# Killed while it rewrites

my $old = sql('SELECT DISTINCT hex(keyid) FROM secret_values');
keyfile($t, hexkey(3), hexkey(2));
kill 'HUP', $t->master;
for (1 .. 6) {
    sleep 0.1 + 0.01 * $_;
    $t->allow(qr/exited on signal 9/);
    kill 'KILL', $_ for $t->workers;
}
ok($t->wait_for(sub {
    my $now = sql('SELECT DISTINCT hex(keyid) FROM secret_values');
    $now =~ /^\w+$/ && $now ne $old && $t->workers == 2 }, 30),
    'rewritten although killed');
is(sql('SELECT count(*) FROM secret_values'), $all + 1, 'nothing lost');
is(sql('PRAGMA integrity_check'), 'ok', 'the file is sound');

# The wrong key at start, and after a reload

$t->stop;
keyfile($t, hexkey(9));
$t->config(conf($t));
my ($rc, $out) = $t->run('-g', 'daemon on;');
isnt($rc, 0, 'the wrong key: nginx does not start');
like($out, qr/holds values of key [0-9a-f]{16}, which is not in the key file/,
    'and says why');
$t->allow(qr/holds values of key/);

keyfile($t, hexkey(3));
$t->start(conf($t));
is(put(11, mpspassword => 'works'), 200, 'the right key');
keyfile($t, hexkey(9));
ok(reload(), 'reload with the wrong key');
is(put(11, mpspassword => 'fails'), 503, 'an error, not "none"');
ok($t->log_wait(qr/which is not in the key file: put it there/), 'logged');
keyfile($t, hexkey(3));
ok(reload(), 'the right key again');
is(put(11, mpspassword => 'works'), 200, 'works');

# A value moved to another device, and one that was cut

sql("UPDATE secret_values SET sealed = (SELECT sealed FROM secret_values"
    . " WHERE path = 'secret/devices/" . guid(20) . "')"
    . " WHERE path = 'secret/devices/" . guid(21) . "'");
is(put(21, mpspassword => 'x'), 503, 'a value of another device');
ok($t->log_wait(qr/is not what was written/), 'logged');
sql("UPDATE secret_values SET sealed = substr(sealed, 1, 20)"
    . " WHERE path = 'secret/devices/" . guid(22) . "'");
is(put(22, mpspassword => 'x'), 503, 'a value that was cut');
is(put(23, mpspassword => 'x'), 200, 'the others are good');

# Locked by another process

{
    open my $p, '|-', 'sqlite3', $file or die;
    $p->autoflush;
    print $p "BEGIN IMMEDIATE;\n.shell touch $dir/held\n";
    $t->wait_for(sub { -e "$dir/held" });
    is(put(24, mpspassword => 'y'), 503, 'locked: the write fails');
    print $p "ROLLBACK;\n.quit\n";
    close $p;
    is(put(24, mpspassword => 'y'), 200, 'works when it is free');
}

# Lost while running, and before the next start: not made again, empty

rename $file, "$file.away";
ok($t->wait_for(sub { put(25, mpspassword => 'z') == 503 }), 'file is lost');
ok(!-e $file, 'not created by a worker');
ok($t->wait_for(sub { ref health()->{status} ne 'HASH' }), 'health says so');
rename "$file.away", $file;
ok($t->wait_for(sub { put(25, mpspassword => 'z') == 200 }), 'back');

$t->stop;
rename $file, "$file.away";
$t->config(conf($t));
for (['-t'], ['-g', 'daemon on;']) {
    my $what = "nginx $_->[0]";
    my %before = map { ($_ => (stat)[9]) } glob "$dir/db/*";
    my ($rc, $out) = $t->run(@$_);
    isnt($rc, 0, "$what: refused without the keystore's file");
    like($out, qr/\[emerg\].*keystore "\Q$file\E" does not exist, but/,
        "$what: says so");
    like($out, qr/restore it.*or make an empty file/, "$what: what to do");
    is_deeply({ map { ($_ => (stat)[9]) } glob "$dir/db/*" }, \%before,
        "$what: makes nothing");
}
$t->allow(qr/keystore .* does not exist, but/);

# what nginx had not yet copied from the log counts

{
    my $amt = "$dir/db/amt.db";
    unlink $amt;
    $t->start(conf($t));
    ok(-s $file, 'a store without devices: a keystore is made');
    is(put(26), 201, 'a device');
    ok(-s "$amt-wal", 'it is in the log');
    unlink glob "$file*";
    my ($good, $out) = $t->check(conf($t));
    ok(!$good && $out =~ /does not exist, but/, 'it is found there');
    $t->delete('/api/v1/devices/' . guid(26), key => $key);
    ($good, $out) = $t->check(conf($t));
    ok($good, 'no devices, no need for the file') or diag($out);
    ok(!-e $file, 'and nothing was made');
    $t->stop;
}

# an empty file is an answer: start without secrets

$t->write_file('db/keystore.db', '', 0600);
chown((getpwnam $user)[2, 3], $file) if $root;
$t->start(conf($t));
is(put(27, mpspassword => 'new'), 201, 'an empty file is taken');
is(sql('SELECT count(*) FROM secret_values'), 1, 'and used');

$t->done;
