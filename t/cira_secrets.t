#!/usr/bin/perl

# A device's password does not stay in a worker's memory: neither after it was
# let in, nor after it was refused.  Nor do the credentials of a CONNECT.

use strict;
use warnings;
use Test::More;
use AMT::Apf;
use AMT::Dial;
use AMT::Stub;
use AMT::Test;
use MIME::Base64;

my $t = AMT::Test->new(workers => 1);
my $hooks = AMT::Stub->new($t->dir . '/hooks.sock');

$hooks->answer('/auth', 204);
$t->certs;
$t->write_file('secret', "operator:0123456789abcdef\n", 0600);

$t->start(stream => <<'EOC');
    cira_path %%DIR%%/cira;
    cira_zone devices 1m;
    cira_auth http://unix:%%DIR%%/hooks.sock:/auth;

    server {
        listen 127.0.0.1:%%PORT:cira%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        include %%ROOT%%/conf/amt/tls-modern.conf;
        cira;
    }

    server {
        listen 127.0.0.1:%%PORT:connect%%;
        cira_connect;
        cira_connect_secret %%DIR%%/secret;
    }
    server {
        listen 127.0.0.1:%%PORT:tls%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        cira_connect;
        cira_connect_secret %%DIR%%/secret;
    }
EOC

my ($worker) = $t->workers;

# how often each text is in memory that the worker can write to
sub found { return $t->in_memory($worker, @_) }

my ($mark) = found('4433-that-is-not-there');
plan skip_all => 'memory of a worker cannot be read' unless defined $mark;

my $guid = '4c4c4544-0001-4d10-8051-0000000000';

# the texts are put together here, so that only the device sends them
my $good = join '', 'Let', '-me-', 'in-', '7531';
my $bad = join '', 'Keep', '-me-', 'out-', '8642';
my $user = join '', 'user', '-of-', '9753';

my $d = AMT::Apf->connect($t->port('cira'));
ok($d->login($user, $good, guid => $guid . '01'), 'let in');
is_deeply([found($good)], [0], 'its password is not in memory any more');

$hooks->answer('/auth', 403);

my $e = AMT::Apf->connect($t->port('cira'));
ok(!$e->login($user, $bad, guid => $guid . '02'), 'refused');
$e->close;
$t->wait_for(sub { (found($bad))[0] == 0 });      # until its session ended
is_deeply([found($good, $bad)], [0, 0], 'nor is the one of the refused');

# the search itself finds what is there
$d->send(AMT::Apf::keepalive(7));
ok($d->expect(209), 'the first one is still connected');
my ($n) = found('127.0.0.1');
ok($n, 'what is in memory is found');

$d->close;

# ---- CONNECT -------------------------------------------------------------------

my $none = "CONNECT ${guid}ff:16992 HTTP/1.1\r\n";

for (
    [ 'right', ":0123456789abcdef", "\r\n", 404 ],
    [ 'wrong', ":0123456789abcde0", "\r\n", 407 ],
    [ 'then a line that is none', ":0123456789-first", "x\r\n", 400 ],
    [ 'then the head ends', ":0123456789second", "X-Much-More: " . 'y' x 200 ],
    [ 'in half a line', ":0123456789-third", undef ],
) {
    my ($what, $word, $more, $status) = @$_;
    my $secret = encode_base64("operator$word", '');
    my $head = "${none}Proxy-Authorization: Basic $secret"
        . (defined $more ? "\r\n$more" : '');

    for my $port ('connect', 'tls') {
        my $c = $port eq 'tls'
            ? bless({ socket => $t->socket('tls', ssl => {}), in => '' },
                'AMT::Dial')
            : AMT::Dial->raw($t->port($port), '');
        $c->{socket}->syswrite($head);

        if ($status) {
            my $got = '';
            $c->{socket}->sysread($got, 4096);
            like($got, qr/^HTTP\/1\.1 $status /, "credentials, $what: $port");
        } else {
            # taken, and gone when the client is
            select undef, undef, undef, 0.1 * AMT::Test::pace();
        }
        $c->close;
        ok($t->wait_for(sub { (found($secret))[0] == 0 }, 3),
            "credentials, $what: not in memory, $port");
    }
}

$t->done;
