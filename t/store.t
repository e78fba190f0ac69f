# The store behind REST: creation with the workers' owner, several workers,
# locks, a full disk, killed workers, reload, backups.

use strict;
use warnings;
use lib 't/lib';
use AMT::Test;
use Digest::SHA qw(sha256_hex);
use Fcntl qw(:flock);
use Test::More;
use Time::HiRes qw(sleep time);

my $root = $> == 0;
my $user = $root ? 'www-data' : scalar getpwuid $>;
my $key = 'store-test-key';

my $t = AMT::Test->new(workers => 2, ($root ? (user => $user) : ()));
my $dir = $t->dir;
my $db = "$dir/db/amt.db";

mkdir "$dir/db";
chown((getpwnam $user)[2, 3], "$dir/db") if $root;

sub conf {
    my (%o) = @_;
    my $store = $o{store} // "sqlite:$db busy=400ms";

    $t->write_file('api_keys', "test:" . sha256_hex($key) . "::all\n", 0600);

    return (
        main => $o{main} // <<'EOF',
thread_pool amt_read  threads=2;
thread_pool amt_write threads=1;
thread_pool amt_auth  threads=1 max_queue=8;
EOF
        http => <<EOF);
    amt_store      $store;
    amt_instance   gw-test;
    amt_api_keys   %%DIR%%/api_keys;
    amt_audit_log  %%DIR%%/logs/audit.log;

    server {
        listen 127.0.0.1:%%PORT:http%%;
        location /api/v1/ { amt_api; }
    }
EOF
}

sub guid { sprintf '%08x-0000-4000-8000-0123456789ab', $_[0] }

sub put {
    my ($n, %o) = @_;
    return $t->post('/api/v1/devices', key => $key,
        json => { guid => guid($n), tags => [], %o });
}

sub one { $t->get('/api/v1/devices/' . guid($_[0]), key => $key) }

sub sql {
    my ($sql) = @_;
    open my $p, '-|', 'sqlite3', '-cmd', '.timeout 3000', $db, $sql
        or die "sqlite3: $!";
    my $out = join '', <$p>;
    $out =~ s/\n\z//;
    return $out;
}

sub count { $t->get('/api/v1/devices/stats', key => $key)->{json}{totalCount} }

# One line per problem of the configuration; in a log of its own

my $c = AMT::Test->new($root ? (user => $user) : ());
$c->write_file('api_keys', '', 0600);
mkdir "$dir/db/dir.db";
chown((getpwnam $user)[2, 3], "$dir/db/dir.db") if $root;

my ($good, $text) = $c->check(conf());
ok($good, 'nginx -t') or diag($text);
ok(!-e $db && !-e "$db-wal" && !-e "$db-lock", 'makes no file');

for my $case (
    ['postgresql://db/mpsdb', qr/not supported by this build/],
    ['/var/lib/amt.db', qr/must be "sqlite:PATH"/],
    ['sqlite:', qr/with the name of a file/],
    ["sqlite:$dir/db/", qr/with the name of a file/],
    ["sqlite:$db busy=1ms", qr/invalid parameter "busy=1ms"/],
    ["sqlite:$db mmap=much", qr/invalid parameter "mmap=much"/],
    ["sqlite:$db x", qr/invalid parameter "x"/],
    ["sqlite:$dir/none/amt.db", qr/must exist and be writable/],
    ["sqlite:$dir/db/dir.db", qr/is not a file/],
) {
    ($good, $text) = $c->check(conf(store => $case->[0]));
    ok(!$good && $text =~ $case->[1], "refused: $case->[0]") or diag($text);
}

SKIP: {
    skip 'not root', 1 unless $root;
    mkdir "$dir/rootdir", 0755;
    ($good, $text) = $c->check(conf(store => "sqlite:$dir/rootdir/amt.db"));
    ok(!$good && $text =~ /writable by the user of the worker/,
        'refused: a directory of root') or diag($text);
}

($good, $text) = $c->check(conf(main => ''));
ok(!$good && $text =~ /thread_pool/, 'refused: no thread pools')
    or diag($text);

$t->start(conf());

ok(-f $db, 'created at start');
is((stat $db)[4], (getpwnam $user)[2], 'belongs to the workers');
is((stat $db)[2] & 07777, 0600, 'mode 0600');

is(put(1, hostname => 'h1', tags => ['b', 'a'])->{status}, 201, 'insert');
is(one(1)->{json}{hostname}, 'h1', 'get');
is_deeply(one(1)->{json}{tags}, ['b', 'a'], 'tags');
is(one(2)->{status}, 404, 'get nothing');
is(put(1, hostname => 'h2')->{status}, 200, 'update');
is(one(1)->{json}{hostname}, 'h2', 'get');
is($t->get('/api/v1/health', key => $key)->{json}{db}{name}, 'SQLITE',
    'health names the store');

# Both workers write and read at the same time

my $n = 0;
my @pids;
for my $child (1 .. 4) {
    my $pid = fork();
    if (!$pid) {
        delete $t->{ua};
        my $bad = 0;
        for my $i (1 .. 60) {
            my $g = 0x1000 * $child + $i;
            # where valgrind watches, the lock may be kept for longer than 5 s
            my $status = 503;
            for (1 .. AMT::Test::pace()) {
                last if $status != 503;
                $status = put($g, tags => ["c$child"])->{status};
            }
            $bad++ if $status != 201;
            $bad++ if one($g)->{status} != 200;
        }
        POSIX::_exit($bad ? 1 : 0);
    }
    push @pids, $pid;
}
for (@pids) { waitpid $_, 0; $n++ if $? == 0 }
is($n, 4, 'four clients, two workers');
is(count(), 241, 'all rows are there');
is(scalar @{$t->get('/api/v1/devices?tags=c3&$top=100',
    key => $key)->{json}}, 60, 'by tag');

# A foreign process holds the write lock

{
    my $pid = open my $p, '|-', 'sqlite3', $db or die;
    $p->autoflush;
    print $p "BEGIN IMMEDIATE;\n.shell touch $dir/held\n";
    $t->wait_for(sub { -e "$dir/held" });
    my $start = time;
    my $r = put(2);
    is($r->{status}, 500, 'locked: the write fails');
    cmp_ok(time - $start, '<', 3 * $t->slow, 'in time');
    is(one(1)->{status}, 200, 'reads go on');
    print $p "ROLLBACK;\n.quit\n";
    close $p;
    ok($t->log_wait(qr/locked by another process.*fuser/), 'log says what to do');
    is(put(2)->{status}, 201, 'works when it is free');
    ok($t->log_wait(qr/works again/), 'logged');
}

# A foreign process keeps the lock between the workers

{
    open my $lock, '+<', "$db-lock" or die;
    flock $lock, LOCK_EX;
    is(put(3)->{status}, 500, 'lock file held: the write fails');
    flock $lock, LOCK_UN;
    is(put(3)->{status}, 201, 'works when it is free');
}

# Workers are killed and the configuration is read again while clients write

sub storm {
    my ($what, $act) = @_;
    my (%acked, @kids);

    for my $child (1 .. 3) {
        my $pid = open(my $out, '-|') // die;
        if (!$pid) {
            delete $t->{ua};
            $| = 1;
            my $end = time + 2 * $t->slow;
            for (my $i = 0; time < $end; $i++) {
                my $g = 0x100000 * ($what eq 'kill' ? 1 : 2)
                    + 0x10000 * $child + $i;
                my $r = eval { put($g) } or next;
                print "$g\n" if $r->{status} == 201;
            }
            POSIX::_exit(0);
        }
        push @kids, $out;
    }

    for (1 .. 4) { sleep 0.4 * $t->slow; $act->() }

    for my $out (@kids) {
        while (<$out>) { chomp; $acked{$_} = 1 }
        close $out;
    }

    my @rows = split /\n/, sql('SELECT guid FROM devices');
    my %rows = map { hex((split /-/)[0]) => 1 } @rows;
    my @lost = grep { !$rows{$_} } keys %acked;

    cmp_ok(scalar keys %acked, '>', 50, "$what: clients wrote");
    is(scalar @lost, 0, "$what: what was answered with 201 is stored");
    is(sql('SELECT sum(total) = (SELECT count(*) FROM devices) FROM tenants'),
        1, "$what: counters fit");
    is(sql('PRAGMA integrity_check'), 'ok', "$what: the file is sound");
}

storm(kill => sub { $t->kill_worker });
storm(reload => sub { $t->reload });
is(put(4)->{status}, 201, 'and works');

# Backup while running, restore under the same name

is(sql(".backup $dir/backup.db"), '', 'backup');
chown((getpwnam $user)[2, 3], "$dir/backup.db") if $root;
is($t->delete('/api/v1/devices/' . guid(1), key => $key)->{status}, 204,
    'delete');
$t->stop;
unlink "$db-wal", "$db-shm";
rename "$dir/backup.db", $db;
$t->start(conf());
is(one(1)->{status}, 200, 'restored');

# Removed while running: an error, no new file, and no dead master on reload

{
    rename $db, "$db.away";
    ok($t->wait_for(sub { one(1)->{status} == 500 }), 'removed: error');
    ok(!-e $db, 'not created by a worker');
    rename "$db.away", $db;
    ok($t->wait_for(sub { one(1)->{status} == 200 }), 'back: works again');
    is(put(5)->{status}, 201, 'writes, too');
}

# Damaged while running

{
    sql('PRAGMA wal_checkpoint(TRUNCATE)');
    my $whole = $t->read_file($db);
    open my $f, '+<', $db or die;
    binmode $f;
    print $f "\x5a" x length $whole;
    close $f;
    ok($t->wait_for(sub { one(1)->{status} == 500 }), 'damaged: error');
    ok($t->log_wait(qr/is damaged.*restore a backup/), 'log says what to do');
    $t->allow(qr/cannot be used/);
    ok($t->reload, 'a reload does not end the master');
    is(one(1)->{status}, 500, 'still an error');
    $t->stop;
    unlink "$db-wal", "$db-shm";
    $t->write_file($db, $whole);
    $t->start(conf());
    is(one(1)->{status}, 200, 'restored');
}

# A newer schema is refused at start

$t->stop;
sql('PRAGMA user_version = 99');
$t->config(conf());
my ($rc, $out) = $t->run('-g', 'daemon on;');
isnt($rc, 0, 'a newer schema: nginx does not start');
like($out, qr/made by a newer version of the module/, 'and says why');
$t->allow(qr/schema version 99|schema is too new/);
sql('PRAGMA user_version = 1');

# Without room on the disk: a small file system of its own

SKIP: {
    my $small = "$dir/small";
    mkdir $small;
    skip 'a small tmpfs needs root', 6 if !$root
        || system("mount -t tmpfs -o size=1m tmpfs $small 2>/dev/null");
    chown((getpwnam $user)[2, 3], $small);

    $t->start(conf(store => "sqlite:$small/amt.db"));
    my ($i, $r) = 0;
    for ($i = 1; $i < 400; $i++) {
        $r = put(0x8000 + $i, deviceInfo => { x => 'y' x 8000 });
        last if $r->{status} != 201;
    }
    is($r->{status}, 500, "disk full after $i rows: the write fails");
    my $stored = $i - 1;
    is(one(0x8001)->{status}, 200, 'reads go on');
    ok($t->log_wait(qr/disk is full.*free space/), 'log says what to do');
    is(count(), $stored, 'nothing half written');
    system "mount -o remount,size=4m $small";
    is(put(0x9000)->{status}, 201, 'works when there is room');
    is(count(), $stored + 1, 'counted');
    $t->stop;
    system "umount $small";
}

$t->done;
