#!/usr/bin/perl

# Recordings of SOL sessions: who is recorded, format, hostile text, limits,
# a disk that is full.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use AMT::Redir;
use JSON::PP;

my %o = (extra => <<'EOT', stream => '');
    location = /relay/webrelay.ashx {
        amt_relay;
        amt_relay_record %%DIR%%/casts;
    }
    location = /relay/all { amt_relay; amt_relay_record casts all; }
    location = /relay/small {
        amt_relay;
        amt_relay_record %%DIR%%/casts max=64k all;
    }
    location = /relay/full {
        amt_relay;
        amt_relay_record %%DIR%%/full/ all;
    }
    location = /relay/off { amt_relay; }
EOT
my ($t, $vault) = AMT::Api::start(%o);
my %key = %AMT::Api::key;
my $sim = AMT::Api::devices($t);
my $guid = $sim->guid(0);

sub session {
    my ($location, %o) = @_;
    $t->wait_for(sub { !$t->get("/api/v1/devices/redirectstatus/$guid",
        key => $key{admin})->{json}{isSOLConnected} });
    my $path = AMT::Redir::path(guid => $guid, kind => 'sol');
    $path =~ s/webrelay\.ashx/$location/;
    my $v = AMT::Redir->open($t, guid => $guid, key => $key{admin},
        path => $path, %o);
    return $v if $v->{ws}{status} == 101 && $v->login && $v->sol;
    return $v;
}

sub token {
    return $t->get("/api/v1/authorize/redirection/$guid",
        key => $key{$_[0]})->{json}{token};
}

sub casts { my ($dir) = @_; return sort glob "$t->{dir}/$dir/*.cast" }

# what a player would show, and the lines
sub cast {
    my ($file) = @_;
    my @lines = split /\n/, $t->read_file($file), -1;
    is(pop @lines, '', 'whole lines');
    my $head = decode_json(shift @lines);
    my ($last, $text, $good) = (0, '', 1);
    for (@lines) {
        my $e = eval { decode_json($_) };
        $good = 0 unless $e && @$e == 3 && $e->[1] eq 'o' && $e->[0] >= $last;
        $last = $e->[0];
        $text .= $e->[2];
    }
    ok($good, 'each line is an event, in order of time');
    return ($head, $text, scalar @lines);
}

sub close_it { my ($v) = @_; $v->{ws}->close; $v->{ws}->wait_close }

is(sprintf('%o', (stat "$t->{dir}/casts")[2] & 07777), '700',
    'the directory is made at start');

# ---- who ----

close_it(session('off'));
is(scalar(() = casts('casts')), 0, 'off by default');
close_it(session('webrelay.ashx', key => $key{redirection}));
is(scalar(() = casts('casts')), 0, 'not without the scope');
close_it(session('all', key => $key{redirection}));
is(scalar(my ($all) = casts('casts')), 1, 'unless all are');
unlink $all;

# ---- what ----

{
    my $v = session('webrelay.ashx', token => token('admin'), key => undef);
    ok(defined $v->shows(qr/C:\\> /), 'with a token of who has the scope');
    $v->type("\e[31m\x07\"\\\x00\x7f\xc3\xa9\xff\xc3\r");
    $v->shows(qr/bad command: .*C:\\> /s);
    my ($file) = casts('casts');
    ok($t->wait_for(sub { $t->read_file($file) =~ /bad command/ }),
        'written while it goes on');
    close_it($v);

    like($file, qr{/casts/$guid-\d{8}T\d{6}Z-\d+\.cast$}, 'name');
    is(sprintf('%o', (stat $file)[2] & 07777), '600', 'only for the owner');
    my ($head, $text) = cast($file);
    is_deeply([ @$head{qw(version width height title)} ], [ 2, 80, 25, $guid ],
        'head');
    ok(abs($head->{timestamp} - time) < 60, 'time');
    like($text, qr/^Emulated serial console\r\nC:\\> /, 'the screen');
    my $echo = "\e[31m\x07\"\\\x00\x7f\x{e9}\x{fffd}\x{fffd}";
    ok(index($text, $echo) > 0, 'hostile bytes, and what is no UTF-8');
    unlike($t->read_file($file), qr/[\x00-\x09\x0b-\x1f\x7f]/,
        'none of them raw');
    like($t->read_file('logs/audit.log'),
        qr/"action":"redirection".*"recorded":true/, 'audit');
    unlink $file;
}

# ---- not past the recorder ----

for ([ no_mode => 1 ], [ kind => 'kvm' ]) {
    my %o = (guid => $guid, kind => 'sol', p => 1, key => $key{redirection},
        @$_);
    my $path = AMT::Redir::path(%o) =~ s/webrelay\.ashx/all/r;
    my $v = AMT::Redir->open($t, %o, path => $path);
    $v->{ws}->send("\x12\0\0\0");
    is(join(' ', $v->{ws}->wait_close),
        '1008 session of unknown kind cannot be recorded',
        "first bytes that hide what follows, $_->[0]");
    $path =~ s/all/off/;
    $v = AMT::Redir->open($t, %o, path => $path);
    $v->{ws}->send("\x12\0\0\0");
    isnt(($v->{ws}->wait_close)[0], 1008, 'none of our business elsewhere');
}

# a KVM session that becomes a SOL one: with the viewer's own login
# an end in the same message: the device would close before another one comes
for (
    [ 'at once', sub { 1 } ],
    [ 'after an end', sub { $_[0]->read(13) }, "\x12\0\0\0" ],
    [ 'after a login that failed',
        sub { $_[1]->login(uri => '/RedirectionService') } ],
) {
    my ($name, $code, $end) = @$_;
    my %o = (guid => $guid, kind => 'kvm', p => 1, key => $key{redirection});
    my $path = AMT::Redir::path(%o) =~ s/webrelay\.ashx/all/r;
    my $v = AMT::Redir->open($t, %o, path => $path);
    $v->{ws}->send("\x10\1\0\0KVMR") if $name !~ /login/;
    $code->($v->{ws}, $v);
    like($v->{error}, qr/^login: status 1$/, 'its login reaches the device')
        if $name =~ /login/;
    $v->{ws}->send(($end // '') . "\x10\0\0\0SOL ");
    like(join(' ', $v->{ws}->wait_close),
        qr/^1002 browser sent a login message out of order$/,
        "another session on the same channel, $name");
    $path =~ s/all/off/;
    $v = AMT::Redir->open($t, %o, path => $path);
    $v->{ws}->send("\x10\1\0\0KVMR\x10\0\0\0SOL ");
    isnt(($v->{ws}->wait_close)[0], 1002, 'none of our business elsewhere');
}
is(scalar(() = casts('casts')), 0, 'no file of them');

# ---- limits ----

{
    my $v = session('small');
    $v->type("blast 200000\r");
    is(join(' ', $v->{ws}->wait_close),
        '1011 session cannot be recorded any longer', 'a full recording');
    my ($file) = casts('casts');
    cmp_ok(-s $file, '<=', 65536, 'is not longer than it may be');
    my ($head, $text, $n) = cast($file);
    cmp_ok($n, '>', 5, 'and can be played');
    like($t->log, qr/\[error\].*recording has reached its limit: "\Q$file\E"/,
        'the log says so');
    unlink $file;
}

SKIP: {
    skip 'not root', 5 if $>;
    my $dir = "$t->{dir}/full";
    rmdir $dir;
    mkdir $dir;
    system("mount -t tmpfs -o size=64k,mode=700 none $dir 2>/dev/null") == 0
        or skip 'no tmpfs', 5;
    my $v = session('full');
    $v->type("blast 200000\r");
    is(join(' ', $v->{ws}->wait_close),
        '1011 session cannot be recorded any longer', 'a full disk');
    like($t->log, qr/\[error\].*recording cannot be written/, 'logged');
    my ($file) = casts('full');
    my ($head, $text, $n) = cast($file);
    open my $f, '>', "$dir/rest";
    1 while print $f 'x' x 4096 and $f->flush;
    close $f;
    $v = session('full');
    is(join(' ', $v->{ws}->wait_close), '1011 session cannot be recorded',
        'none begins');
    system("umount $dir");
}

rename "$t->{dir}/casts", "$t->{dir}/away";
my $v = session('webrelay.ashx');
is(join(' ', $v->{ws}->wait_close), '1011 session cannot be recorded',
    'no directory');
my $k = AMT::Redir->open($t, guid => $guid, key => $key{admin},
    kind => 'kvm');
ok($k->login && $k->kvm, 'KVM is not recorded');
close_it($k);

# ---- configuration ----

for (['max=1k', qr/invalid parameter "max=1k"/],
    ['min=1', qr/invalid parameter "min=1"/])
{
    my ($ok, $text) = $t->check(main => $AMT::Api::main,
        stream => AMT::Api::stream(), http => AMT::Api::http(
            extra => "location /r { amt_relay; amt_relay_record x $_->[0]; }"));
    ok(!$ok && $text =~ $_->[1], "amt_relay_record $_->[0]");
}

is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;
AMT::Test::done();
