#!/usr/bin/perl

# The emulator against a small server of its own: what it sends, what it
# refuses, what it calls a violation.  No gateway takes part.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::MD5;
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);

BEGIN {
    eval { require IO::Socket::SSL; 1 }
        or plan skip_all => 'IO::Socket::SSL is needed';
}

use AMT::Sim;
use AMT::MiniMps;

my $dir = tempdir(CLEANUP => 1);

system("openssl req -x509 -newkey rsa:2048 -nodes -keyout $dir/key.pem"
    . " -out $dir/cert.pem -days 2 -subj /CN=mps.example"
    . " -addext subjectAltName=DNS:mps.example 2>/dev/null") == 0
    or die "openssl";

my $mps = AMT::MiniMps->new(cert => "$dir/cert.pem", key => "$dir/key.pem");
my $addr = '127.0.0.1:' . $mps->port;

my %NS = (
    AMT => 'http://intel.com/wbem/wscim/1/amt-schema/1/',
    IPS => 'http://intel.com/wbem/wscim/1/ips-schema/1/',
    CIM => 'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/',
);
my $XFER = 'http://schemas.xmlsoap.org/ws/2004/09/transfer';
my $ENUM = 'http://schemas.xmlsoap.org/ws/2004/09/enumeration';
my $msgid = 0;

sub uri { my ($p) = $_[0] =~ /^(...)_/; return $NS{$p} . $_[0] }

sub envelope {
    my ($class, $action, $body, %o) = @_;
    my $id = $o{id} // $msgid++;
    my $h = '<a:Action>' . $action . '</a:Action><a:To>' . ($o{to} // '/wsman')
        . '</a:To><w:ResourceURI>' . uri($class)
        . "</w:ResourceURI><a:MessageID>$id</a:MessageID><a:ReplyTo>"
        . '<a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/'
        . 'anonymous</a:Address></a:ReplyTo><w:OperationTimeout>PT60S'
        . '</w:OperationTimeout>' . ($o{header} // '');
    $h =~ s{<a:$o{drop}>.*</a:$o{drop}>}{} if $o{drop};
    return '<?xml version="1.0" encoding="utf-8"?>' . ($o{prolog} // '')
        . '<Envelope xmlns="http://www.w3.org/2003/05/soap-envelope" xmlns:a='
        . '"http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:w='
        . '"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><Header>' . $h
        . '</Header><Body>' . ($body // '') . '</Body></Envelope>';
}

sub get { envelope($_[0], "$XFER/Get", '', @_[1 .. $#_]) }

sub put {
    my ($class, $inner, %o) = @_;
    envelope($class, "$XFER/Put", "<h:$class xmlns:h=\"" . uri($class)
        . "\">$inner</h:$class>", %o);
}

sub invoke {
    my ($class, $method, $inner) = @_;
    envelope($class, uri($class) . "/$method", "<h:${method}_INPUT xmlns:h=\""
        . uri($class) . "\">" . ($inner // '') . "</h:${method}_INPUT>");
}

sub fault { my ($r) = @_; return ($r->{body} // '') =~
    /<a:Subcode><a:Value>\w:(\w+)</ ? $1 : '' }

sub system_epr {
    my $name = shift // 'ManagedSystem';
    return '<h:ManagedElement><a:Address>http://schemas.xmlsoap.org/ws/2004/'
        . '08/addressing</a:Address><a:ReferenceParameters><w:ResourceURI>'
        . uri('CIM_ComputerSystem') . '</w:ResourceURI><w:SelectorSet>'
        . '<w:Selector Name="CreationClassName">CIM_ComputerSystem'
        . "</w:Selector><w:Selector Name=\"Name\">$name</w:Selector>"
        . '</w:SelectorSet></a:ReferenceParameters></h:ManagedElement>';
}

sub power {
    my ($s, $state) = @_;
    my $r = $s->wsman(invoke('CIM_PowerManagementService',
        'RequestPowerStateChange', "<h:PowerState>$state</h:PowerState>"
        . system_epr()));
    return $r->{body} =~ /<\w:ReturnValue>(\d+)</ ? $1 : $r->{body};
}

sub pull {
    my ($s, $class) = @_;
    my ($all, $pulls) = ('', 0);
    my $r = $s->wsman(envelope($class, "$ENUM/Enumerate",
        "<Enumerate xmlns=\"$ENUM\"/>"));
    my ($ctx) = $r->{body} =~ /EnumerationContext>([^<]+)</
        or return ($r->{body}, 0);
    while ($pulls < 64) {
        $pulls++;
        $r = $s->wsman(envelope($class, "$ENUM/Pull",
            "<Pull xmlns=\"$ENUM\"><EnumerationContext>$ctx"
            . '</EnumerationContext><MaxElements>999</MaxElements>'
            . '<MaxCharacters>99999</MaxCharacters></Pull>'));
        $all .= $r->{body};
        last if $r->{body} =~ /EndOfSequence/ || $r->{status} != 200;
        ($ctx) = $r->{body} =~ /EnumerationContext>([^<]+)</ or last;
    }
    return ($all, $pulls);
}

# a device that is logged in

sub device {
    my (%o) = @_;
    my $login = delete $o{login} // {};
    my $sim = AMT::Sim->start(mps => $addr, %o);
    my $s = $mps->accept or die "TLS: " . $sim->log;
    $s->login(%$login);
    return ($sim, $s);
}


subtest 'login' => sub {
    my ($sim, $s) = device(ca => "$dir/cert.pem",
        verify_name => 'mps.example',
        guid => '33221100-5544-7766-8899-aabbccddeeff', user => 'user-%n',
        password => 'pass-%g', probe_none => 1, forward_address => 'host-%n',
        ports => '16993,16992,664,623', login => { ports => 4 });
    my $d = $s->{device};

    is($d->{guid}, '33221100-5544-7766-8899-aabbccddeeff', 'byte order');
    is($d->{trigger}, 4, 'trigger');
    ok($d->{probed}, 'none was tried first');
    is($d->{user}, 'user-0', 'user');
    is($d->{password}, "pass-$d->{guid}", 'password');
    is($d->{address}, 'host-0', 'address');
    is_deeply($d->{ports}, [16993, 16992, 664, 623], 'ports in order');
    ok($sim->wait_event('ready', guid => $d->{guid}), 'ready');
    is($sim->state(0)->{state}, 'ready', 'state');

    $s->send(pack 'CNN', 210, 20, 5);
    my $m = $s->wait(sub { $_[0]{type} == 211 });
    is_deeply([@$m{qw(interval timeout)}], [20, 5], 'keepalive options');
    $s->send(pack 'CN', 208, 77);
    is($s->wait(sub { $_[0]{type} == 209 })->{cookie}, 77, 'keepalive');

    is($s->open(5900)->{failed}, 1, 'port that was not announced');
    is($s->open(623)->{failed}, 2, 'port without a service');

    $sim->alert(0, 'help');
    $m = $s->wait(sub { $_[0]{type} == 80 });
    is($m->{name}, 'udp-send-to@amt.intel.com', 'alert');
    is($m->{data}, 'help', 'its data');

    $sim->cmd('open #0 event');
    $m = $s->wait(sub { $_[0]{type} == 90 });
    is($m->{kind}, 'direct-tcpip', 'a channel of the device');
    $s->send(pack 'CNNNN', 92, $m->{sender}, 3, 0, 0);
    ok($sim->wait_event('own_channel', reason => 3), 'refused');

    $s->send(pack 'CNn', 1, 11, 0);
    ok($sim->wait_event('disconnected', reason => 'disconnect 11'),
        'DISCONNECT of the server');
    is($sim->stop, 0, 'no violation') or diag $sim->log;
};

subtest 'refused, TLS verify, pipelined, byte by byte' => sub {
    my $sim = AMT::Sim->start(mps => $addr);
    my $s = $mps->accept;
    $s->login(refuse => 1);
    ok($sim->wait_event('refused'), 'refused');
    is($sim->stop, 1, 'exit code 1');

    $sim = AMT::Sim->start(mps => $addr, ca => "$dir/cert.pem",
        verify_name => 'other.example');
    $s = $mps->accept;
    ok($sim->wait_event('disconnected', reason => 'tls: hostname mismatch'),
        'wrong name') or diag $sim->log;
    $sim->stop;

    for my $how ('pipeline', 'bytewise', 'pipeline,bytewise') {
        my ($sim, $s) = device(misbehave => $how);
        ok($sim->wait_event('ready'), $how);
        is($sim->stop, 0, 'and no violation');
    }

    my ($sim2, $s2) = device(tls_min => '1.3', tls_max => '1.3');
    is($sim2->state(0)->{tls}, 'TLSv1.3', 'TLS 1.3');
    $sim2->stop;
};

subtest 'HTTP and digest' => sub {
    my ($sim, $s) = device();
    my $body = get('AMT_GeneralSettings');

    my $c = $s->open(16992);
    my $r = $s->http($c, $s->post($body));
    is($r->{status}, 401, 'challenge');
    like($r->{head}, qr/^Connection: close\r$/m, 'and close');
    like($r->{body}, qr{</html>\n$}, 'page');
    cmp_ok(length $r->{body}, '>', 600, 'of the usual size');
    $s->wait(sub { $c->{closed} }) unless $c->{closed};
    my $ch = $s->challenge($r->{head});
    like($ch->{realm}, qr/^Digest:[0-9A-F]{32}$/, 'realm');
    is(length $ch->{nonce}, 32, 'nonce');

    $r = $s->wsman($body);
    is($r->{status}, 200, 'with credentials');
    like($r->{head}, qr/^Transfer-Encoding: chunked\r$/m, 'chunked');
    like($r->{raw}, qr/\r\n\r\n[0-9A-F]{4}\r\n/, 'four hex digits');
    cmp_ok(scalar @{$r->{chunks}}, '>=', 3, 'several chunks');
    like($r->{body}, qr/<g:DigestRealm>\Q$ch->{realm}\E</, 'same realm');
    like($r->{body}, qr/<b:RelatesTo>0</, 'RelatesTo');
    like($r->{body}, qr/uuid:00000000-8086-8086-8086-0000000/, 'MessageID');
    unlike($r->{body}, qr/\n/, 'one line');

    $r = $s->wsman($body);
    is($r->{status}, 200, 'same channel again');

    # a channel of its own for each that must fail
    my $try = sub {
        my ($text, %o) = @_;
        my $c = $s->open(16992);
        my $r = $s->http($c, $s->post($body,
            auth => $s->authorization(%o)));
        is($r->{status}, 401, $text);
        $s->wait(sub { $c->{closed} }) unless $c->{closed};
    };

    $try->('wrong password', password => 'x');
    $try->('wrong user', username => 'root');
    $try->('wrong uri', uri => '/');
    $try->('wrong realm', realm => 'Digest:0');
    $try->('wrong qop', qop => 'auth-int');
    $try->('upper-case nc', nc => '0000000A');
    $try->('short nc', nc => '10');
    $try->('unknown nonce', nonce => 'A' x 32);
    $try->('wrong response', response => '0' x 32);

    my %bad = (
        'no Host' => [400, sub { s/^Host.*?\n//m }],
        'chunked request' => [400, sub {
            s/^Content-Length.*?\n/Transfer-Encoding: chunked\r\n/m }],
        'no Content-Length' => [400, sub { s/^Content-Length.*?\n//m }],
        'two Content-Length' => [400, sub { s/^(Content-Length.*?\n)/$1$1/m }],
        'path' => [404, sub { s{/wsman}{/wsman2} }],
        'method' => [405, sub { s/^POST/PUT/ }],
        'Content-Type' => [415, sub { s{soap\+xml}{json} }],
        'Expect' => [417, sub { s/^(Host)/Expect: 100-continue\r\n$1/m }],
        'pipelined' => [400, sub { $_ .= $_ }],
    );
    for my $name (sort keys %bad) {
        my ($status, $edit) = @{$bad{$name}};
        local $_ = $s->post($body, auth => $s->authorization());
        $edit->();
        my $c = $s->open(16992);
        my $r = $s->http($c, $_);
        is($r->{status}, $status, $name);
        $s->wait(sub { $c->{closed} }) unless $c->{closed};
    }

    is($sim->stop, 0, 'no violation') or diag $sim->log;
};

subtest 'nonce: count, age, stale, lockout' => sub {
    my ($sim, $s) = device(on_violation => 'count', nonce_requests => 2,
        stale => 1);
    my $body = get('AMT_GeneralSettings');
    is($s->wsman($body)->{status}, 200, 'first');
    is($s->wsman($body)->{status}, 200, 'second');
    my $c = $s->{wsman};
    my $r = $s->http($c, $s->post($body, auth => $s->authorization()));
    is($r->{status}, 401, 'nonce used up');
    like($r->{head}, qr/stale="true"/, 'stale');
    $s->challenge($r->{head});
    $s->wait(sub { $c->{closed} }) unless $c->{closed};
    is($s->wsman($body)->{status}, 200, 'new nonce');
    is(scalar(() = $sim->violations), 0, 'all well so far');
    $c = $s->{wsman};
    $r = $s->http($c, $s->post($body,
        auth => $s->authorization(nc => '00000001')));
    is($r->{status}, 401, 'count used twice');
    like(join('', $sim->violations), qr/nonce count 00000001/, 'violation');
    is($sim->stop, 3, 'exit code 3');

    ($sim, $s) = device(lockout => 2, lockout_seconds => 3);
    is($s->wsman($body)->{status}, 200, 'let in');
    is($s->wsman($body, password => 'x')->{status}, 401, 'wrong password');
    ok($sim->wait_event('locked'), 'locked');
    is($s->wsman($body)->{status}, 401, 'right password, locked');
    sleep 3.1;
    is($s->wsman($body)->{status}, 200, 'let in again');
    $sim->stop;

    ($sim, $s) = device();
    is($s->wsman($body)->{status}, 200, 'let in');
    $sim->set(0, 'amt-password', 'N3w!pass');
    is($s->wsman($body)->{status}, 401, 'password changed');
    is($s->wsman($body, password => 'N3w!pass')->{status}, 200, 'new one');
    $sim->stop;
};

subtest 'SOAP' => sub {
    my ($sim, $s) = device(without => 'IPS_PowerManagementService');
    my $cls = 'AMT_GeneralSettings';
    my $is = sub {
        my ($body, $status, $fault, $text) = @_;
        my $r = $s->wsman($body);
        is("$r->{status} " . fault($r), "$status $fault", $text)
            or diag $r->{body};
    };

    $is->(get('AMT_NoSuchClass'), 400, 'DestinationUnreachable',
        'unknown class');
    $is->(get('IPS_PowerManagementService'), 400, 'DestinationUnreachable',
        'class this firmware lacks');
    $is->(get($cls, to => '/'), 400, 'DestinationUnreachable', 'To');
    $is->(get($cls, drop => $_), 400, 'MessageInformationHeaderRequired',
        "no $_") for qw(Action To MessageID ReplyTo);
    $is->(get($cls, header => '<w:MaxEnvelopeSize>49999</w:MaxEnvelopeSize>'),
        400, 'EncodingLimit', 'MaxEnvelopeSize');
    $is->(get($cls, header => '<w:OptionSet/>'), 400, 'UnsupportedFeature',
        'OptionSet');
    $is->(envelope($cls, "$XFER/Delete"), 400, 'ActionNotSupported',
        'Delete');
    $is->(invoke($cls, 'Explode'), 400, 'ActionNotSupported', 'method');
    $is->(get($cls, header => '<w:SelectorSet><w:Selector Name="InstanceID">'
        . 'other</w:Selector></w:SelectorSet>'), 400, 'InvalidSelectors',
        'selector of nothing');
    $is->(get($cls, header => '<w:SelectorSet><w:Selector Name="Nothing">'
        . 'other</w:Selector></w:SelectorSet>'), 400, 'InvalidSelectors',
        'unknown selector');
    $is->(get('CIM_SoftwareIdentity'), 400, 'InvalidSelectors',
        'many instances, no selector');
    $is->(get('CIM_SoftwareIdentity', header => '<w:SelectorSet><w:Selector '
        . 'Name="InstanceID">AMT</w:Selector></w:SelectorSet>'), 200, '',
        'one of them');
    $is->(envelope($cls, "$XFER/Get", '<x/>'), 400, 'SchemaValidationError',
        'Get with a body');
    $is->(get($cls, prolog => '<!DOCTYPE x [<!ENTITY a "b">]>'), 400, '',
        'DOCTYPE');
    $is->(get($cls, prolog => '<?php 1 ?>'), 400, '',
        'processing instruction');
    $is->(substr(get($cls), 0, -3), 400, '', 'not well-formed');
    $is->('<x>' x 100 . '</x>' x 100, 400, '', 'too deep');
    $is->(envelope('CIM_SoftwareIdentity', "$ENUM/Pull", "<Pull xmlns="
        . "\"$ENUM\"><EnumerationContext>FF000000-0000-0000-0000-000000000000"
        . '</EnumerationContext></Pull>'), 500, 'InvalidEnumerationContext',
        'unknown context');
    my $e = invoke('CIM_PowerManagementService', 'RequestPowerStateChange',
        system_epr());
    $is->($e, 400, 'SchemaValidationError', 'parameter missing');
    $e = invoke('CIM_PowerManagementService', 'RequestPowerStateChange',
        system_epr() . '<h:PowerState>2</h:PowerState>');
    $is->($e, 400, 'SchemaValidationError', 'parameters in wrong order');

    my ($all, $n) = pull($s, 'CIM_SoftwareIdentity');
    is($n, 1, 'one Pull');
    is(scalar(() = $all =~ /<h:CIM_SoftwareIdentity>/g), 11, 'all items');
    like($all, qr{<h:InstanceID>AMT</h:InstanceID><h:IsEntity>true
        </h:IsEntity><h:VersionString>16\.1\.25<}x, 'version');
    is($sim->stop, 0, 'no violation') or diag $sim->log;

    ($sim, $s) = device(page => 1);
    ($all, $n) = pull($s, 'CIM_SoftwareIdentity');
    is($n, 11, 'one item per Pull');
    is(scalar(() = $all =~ /<h:CIM_SoftwareIdentity>/g), 11, 'all items');
    $sim->stop;
};

subtest 'settings' => sub {
    my ($sim, $s) = device();
    my $cls = 'AMT_BootSettingData';
    my $r = $s->wsman(get($cls));
    my ($inner) = $r->{body} =~ m{<g:$cls>(.*)</g:$cls>};
    $inner =~ s{(</?)g:}{$1h:}g;

    my $is = sub {
        my ($edit, $status, $fault, $text) = @_;
        local $_ = $inner;
        $edit->();
        my $r = $s->wsman(put($cls, $_));
        is("$r->{status} " . fault($r), "$status $fault", $text)
            or diag $r->{body};
        return $r;
    };

    $is->(sub { }, 200, '', 'unchanged');
    $r = $is->(sub { s{(<h:UseSOL>)false}{$1true} }, 200, '', 'SOL');
    like($r->{body}, qr{<g:UseSOL>true<}, 'shown in the answer');
    is($sim->instances(0, $cls)->[0]{UseSOL}, 'true', 'and in the device');
    is($sim->instances(0, $cls)->[0]{OptionsCleared}, 'false', 'options');
    $is->(sub { s{<h:BIOSLastStatus>\d+</h:BIOSLastStatus>}{}g;
    }, 200, '', 'without BIOSLastStatus');
    $is->(sub { s{<h:UseIDER>false</h:UseIDER>}{} }, 400,
        'SchemaValidationError', 'incomplete');
    $is->(sub { $_ .= '<h:Bogus>1</h:Bogus>' }, 400,
        'SchemaValidationError', 'unknown field');
    $is->(sub { s{(<h:UseSOL>)false}{$1maybe} }, 400,
        'SchemaValidationError', 'no boolean');
    $is->(sub { s{(<h:FirmwareVerbosity>)0}{$1many} }, 400,
        'SchemaValidationError', 'no number');
    $is->(sub { s{(<h:FirmwareVerbosity>)0}{${1}4} }, 400,
        'InvalidParameter', 'out of range');
    $is->(sub { s{(<h:RPEEnabled>)true}{$1false} }, 400,
        'InvalidParameter', 'read-only field');
    $is->(sub { s{(<h:UseSOL>.*?</h:UseSOL>)}{$1$1} }, 400,
        'SchemaValidationError', 'field twice');
    $is->(sub { s{(UefiBootNumberOfParams>)0}{${1}2} }, 400,
        'InvalidParameter', 'number of parameters');
    my $tlv = 'hoABABEAAABodHRwczovL2EuYi9jLmVmaYaAFAABAAAAAQ==';
    $is->(sub { s{UefiBootNumberOfParams>0<}{UefiBootNumberOfParams>2<};
        s{(<h:UseIDER>)}{<h:UefiBootParametersArray>$tlv</h:UefiBootParametersArray>$1} },
        200, '', 'boot parameters');

    # a reset uses the settings up
    is($s->wsman(invoke('CIM_BootConfigSetting', 'ChangeBootOrder'))->{status},
        200, 'empty boot order');
    is(power($s, 10), 0, 'reset');
    ok($sim->wait_event('boot'), 'boots');
    my $st = $sim->state(0);
    is($st->{boots}, 1, 'once');
    is($st->{last_boot}{UefiBootParametersArray}, $tlv, 'with parameters');
    is($sim->instances(0, $cls)->[0]{UefiBootNumberOfParams}, 0, 'used up');
    $r = $s->wsman(get($cls));
    like($r->{body}, qr{OptionsCleared>true<}, 'cleared');

    $cls = 'AMT_GeneralSettings';
    $r = $s->wsman(put($cls, '<h:HostName>new-name</h:HostName>'
        . '<h:PingResponseEnabled>true</h:PingResponseEnabled>'
        . '<h:WsmanOnlyMode>false</h:WsmanOnlyMode>'));
    like($r->{body}, qr{<g:HostName>new-name<}, 'HostName')
        or diag $r->{body};
    is(fault($s->wsman(put($cls, '<h:HostName>new-name</h:HostName>'))),
        'SchemaValidationError', 'mandatory fields');
    is($sim->stop, 0, 'no violation') or diag $sim->log;
};

subtest 'power' => sub {
    my ($sim, $s) = device(power_delay => 400);
    my $state = sub {
        my ($all) = pull($s, 'CIM_ServiceAvailableToElement');
        return $all =~ /<h:PowerState>(\d+)</ ? $1 : $all;
    };

    is($state->(), 2, 'on');
    is(power($s, 8), 0, 'off');
    ok($sim->wait_event('power', state => 8), 'is off');
    is($state->(), 8, 'reads off');
    is(power($s, 10), 4097, 'no reset of a machine that is off');
    is(power($s, 2), 0, 'on again');
    ok($sim->wait_event('power', state => 2), 'is on');
    is(power($s, 99), 5, 'no such state');
    my $r = $s->wsman(invoke('CIM_PowerManagementService',
        'RequestPowerStateChange', '<h:PowerState>8</h:PowerState>'
        . system_epr('Toaster')));
    like($r->{body}, qr/ReturnValue>5</, 'another system');
    is(power($s, 5), 0, 'cycle');
    is(power($s, 5), 4099, 'busy');
    ok($sim->wait_event('boot', timeout => 5), 'boots');
    sleep 0.5;

    $r = $s->wsman(get('IPS_PowerManagementService'));
    like($r->{body}, qr/OSPowerSavingState>2</, 'OS full power');
    $r = $s->wsman(invoke('IPS_PowerManagementService',
        'RequestOSPowerSavingStateChange',
        '<h:OSPowerSavingState>3</h:OSPowerSavingState>' . system_epr()));
    like($r->{body}, qr/ReturnValue>0</, 'OS saving');
    is($sim->state(0)->{os_power}, 3, 'is saving');
    is($sim->stop, 0, 'no violation');
};

subtest 'the other classes' => sub {
    my ($sim, $s) = device();
    my $rv = sub {
        my ($class, $method, $inner, %o) = @_;
        my $e = invoke($class, $method, $inner);
        $e =~ s{(</w:OperationTimeout>)}{$1$o{header}} if $o{header};
        my $r = $s->wsman($e);
        return $r->{body} =~ /ReturnValue>(\d+)</ ? $1 : fault($r);
    };
    my $sel = sub { '<w:SelectorSet><w:Selector Name="InstanceID">' . $_[0]
        . '</w:Selector></w:SelectorSet>' };
    my $epr = sub {
        my ($class, $name, $value) = @_;
        return '<a:Address>/wsman</a:Address><a:ReferenceParameters>'
            . '<w:ResourceURI>' . uri($class) . '</w:ResourceURI>'
            . "<w:SelectorSet><w:Selector Name=\"$name\">$value"
            . '</w:Selector></w:SelectorSet></a:ReferenceParameters>';
    };

    # superclasses give concrete items
    my ($all) = pull($s, 'CIM_PhysicalPackage');
    like($all, qr/<h:CIM_Card>.*<i:CIM_Chassis>/, 'concrete classes');
    my $raw = uc $s->{device}{guid} =~ tr/-//dr;
    $raw = pack('H*', $raw);
    $raw = uc unpack 'H*', join '', scalar reverse(substr $raw, 0, 4),
        scalar reverse(substr $raw, 4, 2), scalar reverse(substr $raw, 6, 2),
        substr $raw, 8;
    like($s->wsman(get('CIM_ComputerSystemPackage'))->{body},
        qr/PlatformGUID>$raw</, 'raw GUID');
    for my $class (qw(CIM_Chip CIM_Processor CIM_PhysicalMemory
        CIM_MediaAccessDevice CIM_SystemPackaging CIM_WiFiPort
        AMT_TLSSettingData CIM_ConcreteDependency CIM_CredentialContext
        IPS_ScreenSettingData IPS_HTTPProxyAccessPoint))
    {
        ($all) = pull($s, $class);
        like($all, qr/EndOfSequence/, $class);
    }

    # certificates
    open my $f, '<', "$dir/cert.pem" or die;
    my $cert = join '', map { chomp; $_ } grep { !/-----/ } readline $f;
    my $blob = "<h:CertificateBlob>$cert</h:CertificateBlob>";
    my $pki = 'AMT_PublicKeyManagementService';
    is($rv->($pki, 'AddTrustedRootCertificate', $blob), 0, 'root added');
    is($rv->($pki, 'AddTrustedRootCertificate', $blob), 2058, 'twice');
    is($rv->($pki, 'AddCertificate',
        '<h:CertificateBlob>AAAA</h:CertificateBlob>'), 2063, 'no DER');
    ($all) = pull($s, 'AMT_PublicKeyCertificate');
    like($all, qr/Subject>CN=mps.example<.*Certficate>true</, 'is listed');
    is($s->wsman(envelope('AMT_PublicKeyCertificate', "$XFER/Delete", '',
        header => $sel->('Intel(r) AMT Certificate: Handle: 1')))->{status},
        200, 'deleted');
    is(@{$sim->instances(0, 'AMT_PublicKeyCertificate')}, 1, 'is gone');
    is($rv->($pki, 'GenerateKeyPair', '<h:KeyAlgorithm>0</h:KeyAlgorithm>'
        . '<h:KeyLength>2048</h:KeyLength>'), 0, 'key pair');
    ($all) = pull($s, 'AMT_PublicPrivateKeyPair');
    like($all, qr/DERKey>MII/, 'public part');
    unlike($all, qr/:PrivateKey>/, 'private part stays inside');

    # wireless
    my $wifi = 'AMT_WiFiPortConfigurationService';
    my $profile = sub {
        my ($name, $priority, $psk) = @_;
        my $q = 'xmlns:q="' . uri('CIM_WiFiEndpointSettings') . '"';
        return '<h:WiFiEndpoint>' . $epr->('CIM_WiFiEndpoint', 'Name',
            'WiFi Endpoint 0') . '</h:WiFiEndpoint>'
            . "<h:WiFiEndpointSettingsInput $q><q:ElementName>$name"
            . '</q:ElementName><q:InstanceID>Intel(r) AMT:WiFi Endpoint '
            . "Settings $name</q:InstanceID><q:AuthenticationMethod>6"
            . '</q:AuthenticationMethod><q:EncryptionMethod>4'
            . "</q:EncryptionMethod><q:SSID>net</q:SSID><q:Priority>$priority"
            . "</q:Priority><q:PSKPassPhrase>$psk</q:PSKPassPhrase>"
            . '</h:WiFiEndpointSettingsInput>';
    };
    is($rv->($wifi, 'AddWiFiSettings', $profile->('home', 1, 'x' x 8)), 0,
        'profile');
    is($rv->($wifi, 'AddWiFiSettings', $profile->('work', 1, 'x' x 8)),
        34826, 'same priority');
    is($rv->($wifi, 'AddWiFiSettings', $profile->('work', 2, 'short')), 3,
        'passphrase too short');
    ($all) = pull($s, 'CIM_WiFiEndpointSettings');
    like($all, qr/Settings home</, 'is listed');
    unlike($all, qr/PSKPass/, 'passphrase is not shown');

    # user consent
    my $optin = 'IPS_OptInService';
    is($rv->($optin, 'CancelOptIn'), 2, 'nothing to cancel');
    is($rv->($optin, 'StartOptIn'), 0, 'consent asked for');
    my $code = $sim->state(0)->{consent_code};
    is($rv->($optin, 'SendOptInCode', '<h:OptInCode>0</h:OptInCode>'), 1,
        'wrong code');
    is($rv->($optin, 'SendOptInCode', "<h:OptInCode>$code</h:OptInCode>"),
        0, 'right code');
    is($sim->instances(0, $optin)->[0]{OptInState}, 3, 'received');

    # alarms: five of them
    my $i = uri('IPS_AlarmClockOccurrence');
    my @rv = map { $rv->('AMT_AlarmClockService', 'AddAlarm',
        "<h:AlarmTemplate xmlns:s=\"$i\"><s:InstanceID>0$_</s:InstanceID>"
        . '<s:StartTime><c:Datetime xmlns:c="http://schemas.dmtf.org/wbem/'
        . 'wscim/1/common">2031-01-02T03:04:05Z</c:Datetime></s:StartTime>'
        . '<s:DeleteOnCompletion>true</s:DeleteOnCompletion>'
        . '</h:AlarmTemplate>') } 1 .. 6;
    is_deeply(\@rv, [(0) x 5, 'QuotaLimit'], 'five alarms');

    # ports
    my $eth = 'AMT_EthernetPortSettings';
    my $port = sub { $sel->("Intel(r) AMT Ethernet Port Settings $_[0]") };
    is($rv->($eth, 'SetLinkPreference', '<h:LinkPreference>1'
        . '</h:LinkPreference><h:Timeout>60</h:Timeout>',
        header => $port->(1)), 0, 'link preference');
    is($sim->instances(0, $eth)->[1]{LinkPreference}, 1, 'of the wireless');
    is($s->wsman(put($eth, '<h:DHCPEnabled>true</h:DHCPEnabled>'
        . '<h:InstanceID>Intel(r) AMT Ethernet Port Settings 0'
        . '</h:InstanceID>', header => $port->(0)))->{status}, 200, 'DHCP');
    is($sim->instances(0, $eth)->[0]{IPAddress}, undef, 'address removed');
    is(fault($s->wsman(put($eth, '<h:DHCPEnabled>true</h:DHCPEnabled>'))),
        'InvalidSelectors', 'Put without a selector');

    # logs
    my $r = $s->wsman(invoke('AMT_AuditLog', 'ReadRecords',
        '<h:StartIndex>31</h:StartIndex>'));
    like($r->{body}, qr/TotalRecordCount>32<.*RecordsReturned>2</, 'audit');
    $r = $s->wsman(invoke('AMT_MessageLog', 'GetRecords',
        '<h:IterationIdentifier>1</h:IterationIdentifier>'
        . '<h:MaxReadRecords>390</h:MaxReadRecords>'));
    is(scalar(() = $r->{body} =~ m{<g:RecordArray>[^<]{28}<}g), 390,
        'events');
    like($r->{body}, qr/NoMoreRecords>true</, 'all of them');

    # the redirection listener comes and goes
    my $red = 'AMT_RedirectionService';
    $r = $s->wsman(put($red, '<h:ListenerEnabled>false</h:ListenerEnabled>'));
    is_deeply($sim->state(0)->{forwards}, [16992], 'listener off')
        or diag $r->{body};
    is($sim->stop, 0, 'no violation') or diag $sim->log;
};

# redirection: a session of that kind, logged in

sub take {
    my ($s, $c, $n) = @_;
    while (length $c->{in} < $n) {
        $s->wait(sub { length $c->{in} >= $n || $c->{closed} }, 3);
        last if $c->{closed} || length $c->{in} < $n && !$s->{s}->opened;
    }
    return substr $c->{in}, 0, $n, '';
}

sub redirection {
    my ($s, $type, %o) = @_;
    my $c = $s->open(16994, window => $o{window} // 32768);
    $s->data($c, pack 'CxxxA4', 0x10, $type);
    my $r = take($s, $c, 4);
    $c->{status} = ord substr $r, 1;
    return $c if $c->{status};
    take($s, $c, 9);
    $s->data($c, "\x13" . "\0" x 8);
    is(unpack('H*', take($s, $c, 10)), '14000000000100000004',
        "$type: digest is offered") if $o{tell};

    my $user = 'admin';
    my $uri = '/RedirectionService';
    my $send = sub {
        my $d = join '', map { pack 'C/a*', $_ } @_;
        $s->data($c, pack('CxxxCV/a*', 0x13, 4, $d));
        my $h = take($s, $c, 9);
        my ($status, $n) = (unpack 'CCxxCV', $h)[1, 3];
        return ($status, unpack '(C/a)*', take($s, $c, $n));
    };
    take($s, $c, 10) unless $o{tell};
    my ($status, $realm, $nonce, $qop) = $send->($user, '', '', $uri,
        ('') x 4);
    my $ha1 = Digest::MD5::md5_hex("$user:$realm:"
        . ($o{password} // 'P@ssw0rd'));
    my $ha2 = Digest::MD5::md5_hex("POST:$uri");
    my $resp = Digest::MD5::md5_hex("$ha1:$nonce:00000001:abcd:auth:$ha2");
    ($status) = $send->($user, $realm, $nonce, $uri, 'abcd', '00000001',
        $resp, 'auth');
    $c->{auth} = $status;
    return $c;
}

subtest 'redirection' => sub {
    my ($sim, $s) = device();

    is(redirection($s, 'XYZ ')->{status}, 1, 'unknown type');
    is(redirection($s, 'SOL ', password => 'x')->{auth}, 1,
        'wrong password');
    $s->close_channel($_) for grep { !$_->{closed} } values %{$s->{ch}};

    # a shell on the serial line
    my $c = redirection($s, 'SOL ', tell => 1);
    is($c->{auth}, 0, 'SOL: logged in');
    is(redirection($s, 'SOL ')->{status}, 2, 'one at a time');
    $s->data($c, pack 'VVvvvvvvV', 0x20, 0, 10000, 100, 0, 10000, 100, 0, 0);
    is(unpack('C', take($s, $c, 23)), 0x21, 'settings');
    my $seq = 1;
    my $text = sub {
        my ($want) = @_;
        my $all = '';
        while ($all !~ $want) {
            my $h = take($s, $c, 10);
            return "$all?" if length $h < 10;
            my ($type, undef, $n) = unpack 'VVv', $h;
            return "type $type" if $type != 0x2a;
            $all .= take($s, $c, $n);
        }
        return $all;
    };
    my $type = sub {
        $s->data($c, pack('VVv/a*', 0x28, $seq++, $_[0]));
    };
    like($text->(qr/> $/), qr/Emulated serial/, 'greets');
    $type->("ver\r");
    like($text->(qr/> $/), qr/^ver\r\n16\.1\.25\.2124/, 'echoes, answers');
    $type->("blast 200000\r");
    cmp_ok(length $text->(qr/> $/), '>', 200000, 'much, through the window');
    $seq = 0;
    $type->("ver\r");
    like($text->(qr/> $/), qr/^ver\r\n16/, 'zero as every number, too');
    $s->data($c, "\x99" . "\0" x 7);
    ok($sim->wait_event('redirection', error => 'unknown SOL message'),
        'no message of the protocol');
    $s->wait(sub { $c->{closed} }, 3) unless $c->{closed};

    # the machine reads a CD of 20 blocks
    $c = redirection($s, 'IDER');
    my $image = join '', map { chr($_ % 251) x 2048 } 1 .. 20;
    $s->data($c, pack 'CxxxVvvvV', 0x40, 0, 30000, 0, 20000, 1);
    is(unpack('C', take($s, $c, 30)), 0x41, 'IDER: open');
    $s->data($c, pack 'CxxxVCV', 0x48, 1, 3, 0x19);
    is(unpack('C', take($s, $c, 13)), 0x49, 'features');
    $seq = 2;
    for (1 .. 3) {
        my $cmd = take($s, $c, 28);
        my @cdb = unpack 'C12', substr $cmd, 16;
        my $data = $cdb[0] == 0x25 ? pack('NN', 19, 2048)
            : substr $image, 2048 * $cdb[5], 2048 * $cdb[8];
        while (length $data) {
            my $part = substr $data, 0, 8192, '';
            $s->data($c, pack('CxxCVxva*', 0x54, length $data ? 0 : 2,
                $seq++, length $part, "\0" x 23 . $part));
        }
    }
    my $e = $sim->wait_event('ider', blocks => 20);
    is($e ? $e->{md5} : '', Digest::MD5::md5_hex($image), 'what it read');
    $s->close_channel($c);

    # the screen
    $c = redirection($s, 'KVMR');
    $s->data($c, "\x40" . "\0" x 7);
    is(substr(take($s, $c, 20), 8), "RFB 003.008\n", 'KVM: version');
    $s->data($c, "RFB 003.008\n");
    is(take($s, $c, 2), "\1\1", 'security');
    $s->data($c, "\1");
    is(take($s, $c, 4), "\0" x 4, 'accepted');
    $s->data($c, "\1");
    my ($w, $h) = unpack 'nn', take($s, $c, 32);
    is("$w $h", '640 400', 'size');
    $s->data($c, pack 'CCnnnn', 3, 0, 0, 0, $w, $h);
    my $tiles = 10 * 7;
    my $size = 4 + $tiles * 12 + $w * $h * 2;
    my $one = take($s, $c, $size);
    is(length $one, $size, 'picture');
    is_deeply([unpack 'CxnnnnnN', $one], [0, $tiles, 0, 0, 64, 64, 0],
        'made of tiles');
    is(unpack('v', substr $one, 16 + 2 * 63, 2), int(63 * 31 / $w) << 11,
        'first line, red grows');
    $s->data($c, pack 'CCnnnn', 3, 1, 0, 0, $w, $h);
    my $two = take($s, $c, $size);
    isnt($one, $two, 'it moves');
    $s->data($c, pack('CCnnnn', 3, 0, 0, 0, 1, 1) );
    is(length take($s, $c, 4 + 12 + 2), 18, 'one pixel');
    $s->data($c, pack 'CCxxN', 4, 1, 65);
    ok($sim->wait_event('key', key => 65), 'key');

    # switched off
    $s->close_channel($c);
    $sim->set(0, 'CIM_KVMRedirectionSAP.EnabledState', 3);
    is(redirection($s, 'KVMR')->{status}, 3, 'switched off');
    is($sim->stop, 0, 'no violation') or diag $sim->log;
};

subtest 'windows' => sub {
    my ($sim, $s) = device(window => 100, adjust => 30, max_data => 50);
    my $body = get('AMT_GeneralSettings');
    my $c = $s->open(16992);
    is($c->{credits}, 100, 'window of the device');
    my $r = $s->http($c, $s->post($body));
    is($r->{status}, 401, 'through a small window');
    is((sort { $b <=> $a } @{$c->{sizes}})[0], 50, 'largest DATA');
    $s->challenge($r->{head});
    is($s->wsman($body)->{status}, 200, 'and the answer');

    # an honest device stops at our window
    $s->{auto} = 0;
    $c = $s->open(16992, window => 200);
    $s->data($c, $s->post($body, auth => $s->authorization()));
    $s->wait(sub { 0 }, 0.3);
    is(length $c->{in}, 200, 'no more than our window');
    $s->send(pack 'CNN', 93, $c->{peer}, 60);
    $s->wait(sub { 0 }, 0.3);
    is(length $c->{in}, 260, 'and what we add');
    is($sim->stop, 0, 'no violation') or diag $sim->log;
};

subtest 'violations' => sub {
    my %do = (
        'DATA of 5 bytes on channel \d+, window has 4' => sub {
            my ($s, $c) = @_;
            $s->send(pack 'CNN/a*', 94, $c->{peer}, 'xxxxx');
        },
        'DATA for channel 7' => sub {
            $_[0]->send(pack 'CNN/a*', 94, 7, 'x');
        },
        'DATA of length 0' => sub {
            my ($s, $c) = @_;
            $s->send(pack 'CNN', 94, $c->{peer}, 0);
        },
        'DATA after CLOSE|which is not open' => sub {
            my ($s, $c) = @_;
            $s->send(pack('CN', 97, $c->{peer})
                . pack('CNN/a*', 94, $c->{peer}, 'x'));
        },
        'CLOSE for channel' => sub {
            my ($s, $c) = @_;
            $s->send(pack('CN', 97, $c->{peer}) x 2);
        },
        'WINDOW_ADJUST of 1 makes' => sub {
            my ($s, $c) = @_;
            $s->send(pack 'CNN', 93, $c->{peer}, 1);
        },
        'WINDOW_ADJUST of 0' => sub {
            my ($s, $c) = @_;
            $s->send(pack 'CNN', 93, $c->{peer}, 0);
        },
        'message 96' => sub { $_[0]->send(pack 'CN', 96, 1) },
        'message 192' => sub { $_[0]->send("\xc0" . "\0" x 92) },
        'SERVICE_ACCEPT in' => sub {
            $_[0]->send(pack 'CN/a*', 6, 'auth@amt.intel.com');
        },
        'USERAUTH_SUCCESS in' => sub { $_[0]->send(pack 'C', 52) },
        'REQUEST_SUCCESS although' => sub { $_[0]->send(pack 'C', 81) },
        'KEEPALIVE_REPLY cookie' => sub {
            $_[0]->send(pack 'CN', 209, 99);
        },
        'OPTIONS_REQUEST sent twice' => sub {
            $_[0]->send(pack('CNN', 210, 30, 0) x 2);
        },
        'CHANNEL_OPEN with number 1, which is in use' => sub {
            $_[0]->open(16992, id => 1);
        },
        'CHANNEL_OPEN reuses number 1' => sub {
            my ($s, $c) = @_;
            $s->close_channel($c);
            $s->open(16992, id => 1);
        },
        'CHANNEL_OPEN of type "session"' => sub {
            $_[0]->open(16992, kind => 'session');
        },
        'CONFIRMATION for' => sub {
            $_[0]->send(pack 'CNNNN', 91, 0, 1, 100, 0);
        },
        'CHANNEL_DATA of' => sub {
            $_[0]->send(pack 'CNN', 94, 0, 0x7fffffff);
        },
    );

    for my $want (sort keys %do) {
        my ($sim, $s) = device(window => 4, keepalive => 0);
        my $c = $s->open(16992);
        $do{$want}->($s, $c);
        my $m = $s->wait(sub { $_[0]{type} == 1 }, 3);
        is($m ? $m->{reason} : '', 2, "DISCONNECT 2: $want");
        is($sim->stop, 3, 'exit code');
        like(join('', $sim->violations), qr/$want/, 'line');
    }
};

subtest 'misbehaviour' => sub {
    my ($sim, $s) = device(max_channels => 2);
    my $body = get('AMT_GeneralSettings');
    is($s->wsman($body)->{status}, 200, 'good at first');

    my $one = sub {
        my ($what, $timeout) = @_;
        $sim->misbehave(0, "$what*1");
        my $c = $s->open(16992);
        return $c if !$c || $c->{failed};
        my $r = $s->http($c, $s->post($body, auth => $s->authorization()),
            $timeout // 3);
        $r->{channel} = $c;
        $s->close_channel($c) unless $c->{closed};
        return $r;
    };

    is($one->('refuse=3')->{failed}, 3, 'refuse');
    is($one->('close-mid')->{error}, 'closed', 'close-mid');
    is($one->('bad-chunk')->{error}, 'chunk', 'bad-chunk');
    is($one->('no-answer', 0.3)->{error}, 'timeout', 'no-answer');
    like($one->('wrong-relates')->{body}, qr/RelatesTo>not-/,
        'wrong-relates');
    like($one->('empty-challenge,always-401')->{head},
        qr/WWW-Authenticate:\r/, 'empty-challenge');
    is($one->('empty-400')->{status}, 400, 'empty-400');
    is($one->('status=502')->{status}, 502, 'status');
    is($one->('empty-body')->{body}, '', 'empty-body');
    like($one->('content-length')->{head}, qr/Content-Length: \d{4}/,
        'content-length');
    like($one->('extra-bytes')->{raw}, qr/yes$/, 'extra-bytes');
    cmp_ok(length $one->('huge-header=70000')->{head}, '>', 70000,
        'huge-header');
    unlike($one->('bad-xml')->{body}, qr/Envelope>$/, 'bad-xml');
    like($one->('garbage-http', 0.5)->{raw} // '', qr/no HTTP/,
        'garbage-http');
    is(fault($one->('fault=2')), 'AccessDenied', 'fault');
    like($one->('window=1')->{body}, qr/HostName/, 'window of one byte');
    like($one->('zero-window=50')->{body}, qr/HostName/, 'zero-window');
    like($one->('slow-drip=1')->{body}, qr/HostName/, 'slow-drip');
    is(scalar(() = $one->('deep-xml=500')->{body} =~ /<g:n>/g), 500,
        'deep-xml');

    $s->close_channel($s->{wsman}) unless $s->{wsman}{closed};
    my @c = map { $s->open(16992) } 1 .. 3;
    is($c[2]{failed}, 4, 'no channel left');
    $s->close_channel($_) for @c[0, 1];

    $sim->misbehave(0, 'dup-confirm*1,stale-adjust*1,stale-close*1');
    my $c = $s->open(16992);
    my %seen;
    $s->wait(sub { $seen{$_[0]{type}}++; 0 }, 0.3);
    is_deeply(\%seen, { 91 => 1, 93 => 2, 97 => 2 }, 'duplicates and stale')
        or diag explain \%seen;

    $sim->misbehave(0, 'data-after-close*1');
    $s->close_channel($c);
    is($s->wait(sub { $_[0]{type} == 94 }, 1)->{data}, 'late',
        'data-after-close');

    eval { $sim->misbehave(0, 'nonsense') };
    like($@, qr/unknown misbehaviour/, 'unknown switch');
    $sim->misbehave(0, 'off');
    is_deeply($sim->state(0)->{misbehave}, {}, 'off');

    $sim->misbehave(0, 'drop-mid*1');
    ok($one->('drop-mid')->{error}, 'drop-mid');
    ok($sim->wait_event('disconnected', reason => 'dropped'), 'dropped');
    is($sim->stop, 0, 'no violation') or diag $sim->log;
};

subtest 'many devices, reconnect' => sub {
    my $n = 20;
    my $sim = AMT::Sim->start(mps => $addr, count => $n, reconnect => 50,
        guid_base => '00000000-0000-4000-8000-0000000000ff', parallel => 8);
    my %guid;
    my @s;
    for (1 .. $n) {
        my $s = $mps->accept;
        $guid{$s->login->{guid}}++;
        push @s, $s;
    }
    ok($sim->wait_connected($n), 'all connected');
    is(scalar keys %guid, $n, 'each with its own GUID');
    ok($guid{'00000000-0000-4000-8000-000000000112'}, 'they count up');
    is($sim->guid(19), '00000000-0000-4000-8000-000000000112', 'as we do');
    $sim->mark;
    $s[3]->close;
    my $s = $mps->accept;
    my $d = $s->login;
    ok($sim->wait_event('ready', guid => $d->{guid}), 'comes back');
    $sim->drop($d->{guid}, 'rst');
    ok($sim->wait_event('disconnected', guid => $d->{guid},
        reason => 'dropped'), 'drop');
    is($mps->accept->login->{guid}, $d->{guid}, 'and back again');
    is($sim->stop, 0, 'well') or diag $sim->log;
};

done_testing();
