#!/usr/bin/perl

# Tools that know nothing of CIRA: curl over a CONNECT listener, with digest
# authentication at the device, whichever worker has it.

use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep);
use AMT::Dial;
use AMT::Sim;
use AMT::Stub;
use AMT::Test;

plan skip_all => 'no curl' unless grep { -x "$_/curl" } split /:/, $ENV{PATH};

my $t = AMT::Test->new(workers => 2);
my $stub = AMT::Stub->new($t->dir . '/hooks.sock');

$stub->answer('/auth', 204);
$t->certs;
$t->write_file('secret', "operator:0123456789abcdef\n", 0600);
$t->write_file('proxy', "proxy-user = \"operator:0123456789abcdef\"\n", 0600);

$t->start(stream => <<'EOS');
    cira_path %%DIR%%/cira;
    cira_zone devices 1m;
    cira_auth http://unix:%%DIR%%/hooks.sock:/auth;

    server {
        listen 127.0.0.1:%%PORT:cira%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        cira;
    }
    server {
        listen 127.0.0.1:%%PORT:shell%% reuseport;
        cira_connect;
        cira_connect_secret %%DIR%%/secret;
    }
EOS

my $sim = AMT::Sim->start(mps => '127.0.0.1:' . $t->port('cira'),
    ca => $t->dir . '/root.crt', count => 2, password => 'x',
    amt_password => 'Adm1n!pw');
ok($sim->wait_event('ready', guid => $sim->guid($_)), "device $_") for 0, 1;

my $uri = 'http://intel.com/wbem/wscim/1/amt-schema/1/AMT_GeneralSettings';
my $body = '<?xml version="1.0" encoding="utf-8"?>'
    . '<Envelope xmlns="http://www.w3.org/2003/05/soap-envelope"'
    . ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
    . ' xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><Header>'
    . '<a:Action>http://schemas.xmlsoap.org/ws/2004/09/transfer/Get</a:Action>'
    . '<a:To>/wsman</a:To>'
    . "<w:ResourceURI>$uri</w:ResourceURI><a:MessageID>1</a:MessageID>"
    . '<a:ReplyTo><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>'
    . '<w:OperationTimeout>PT60S</w:OperationTimeout></Header><Body/></Envelope>';
$t->write_file('body', $body);

sub curl {
    my ($guid, @args) = @_;
    my $pid = open(my $out, '-|') // die "fork: $!";

    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec 'curl', '-sS', '-m', 20 * AMT::Test::slow(), '--proxytunnel',
            '-x', 'http://127.0.0.1:' . $t->port('shell'),
            '-w', '|%{http_code}|%{http_connect}|', @args,
            "http://$guid:16992/wsman";
    }
    local $/;
    my $text = <$out> // '';
    close $out;
    return $text;
}

my @post = ('-K', $t->dir . '/proxy', '--data-binary', '@' . $t->dir . '/body',
    '-H', 'Content-Type: application/soap+xml;charset=UTF-8');

for my $round (1 .. 3) {
    for my $n (0, 1) {
        my $text = curl($sim->guid($n), @post, '--digest', '-u', 'admin:Adm1n!pw');
        like($text, qr/GeneralSettings.*\|200\|200\|/s, "curl --digest, device $n, $round");
    }
}

like(curl($sim->guid(0), @post, '--digest', '-u', 'admin:wrong'), qr/\|401\|200\|/,
    'a wrong password is the device\'s business');
like(curl('a0000000-0000-4000-8000-0000000000ff', @post), qr/\|404\|/, 'a device that is not there');
like(curl($sim->guid(0), '-d', 'x'), qr/\|407\|/, 'no credentials for the proxy');

is($sim->stop, 0, 'nothing that the device objects to') or diag $sim->log;
$t->done;
