#!/usr/bin/perl

# Which events each route publishes: with a device that is well, one that
# answers with faults, and one that is not there.

use strict;
use warnings;
use lib 't/lib';
use AMT::Api;
use AMT::Stub;
use AMT::Test;
use JSON::PP;
use MIME::Base64;
use Test::More;

my $key = $AMT::Api::key{admin};
my ($yes, $no) = (JSON::PP::true, JSON::PP::false);
my $slow = AMT::Test::slow();

my $t = AMT::Api::prepare();
my $vault = AMT::Vault->new($t->port('vault'));
my $stub = AMT::Stub->new($t->port('hook'));
$stub->answer('/', 204);
$t->start(main => $AMT::Api::main, stream => AMT::Api::stream(),
    http => AMT::Api::http(http => 'amt_webhook '
        . 'http://127.0.0.1:%%PORT:hook%%/ batch=1000; amt_timeout '
        . (2 * $slow) . 's;'));
my $sim = AMT::Api::devices($t, count => 3);
my $guid = $sim->guid(0);
my $absent = 'c0000000-0000-4000-8000-000000000001';

system("openssl req -x509 -newkey rsa:2048 -nodes -keyout $t->{dir}/x.key "
    . "-out $t->{dir}/x.der -outform DER -subj /CN=routes -days 9 2>/dev/null")
    == 0 or die;
my $cert = encode_base64($t->read_file('x.der'), '');

my $ise = 'Internal Service Error';
my %psk = (ssid => 'Home', password => 'good word',
    authenticationMethod => 'WPA2PSK', encryptionMethod => 'CCMP');

# Calls in order, each with what it leaves: "type name message [g]"; "same" is
# the name of the line before.  fault: the device answers so.
my @calls = (
    [GET => 'amt/log/audit/G', undef, 'request AMT_AuditLog Audit Log '
        . 'Requested g'],
    [fault => GET => 'amt/log/audit/G', undef,
        'request AMT_AuditLog Audit Log Requested g',
        "fail AMT_AuditLog $ise"],
    [GET => 'amt/log/event/G', undef,
        'request AMT_EventLog Event Log requested g',
        'success AMT_EventLog Event Log received g'],
    [fault => GET => 'amt/log/event/G', undef,
        'request AMT_EventLog Event Log requested g',
        "fail AMT_EventLog $ise"],
    [GET => 'amt/generalSettings/G', undef,
        'request AMT_GeneralSettings General Settings requested g',
        'success AMT_GeneralSettings General Settings received g'],
    [GET => 'amt/hardwareInfo/G', undef,
        'request AMT_HardwareInfo Hardware Information requested g',
        'success AMT_HardwareInfo Hardware Information received g'],
    [fault => GET => 'amt/hardwareInfo/G', undef,
        'request AMT_HardwareInfo Hardware Information requested g',
        "fail AMT_HardwareInfo $ise"],
    [GET => 'amt/version/G', undef,
        'request AMT_Version Power State requested g'],
    [fault => GET => 'amt/version/G', undef,
        'request AMT_Version Power State requested g'],
    [GET => 'amt/power/state/G', undef,
        'request AMT_PowerState Power State requested g'],
    [fault => GET => 'amt/power/state/G', undef,
        'request AMT_PowerState Power State requested g',
        'fail AMT_PowerState Power State request failed g'],
    [silent => GET => 'amt/power/state/G', undef,
        'request AMT_PowerState Power State requested g',
        "fail AMT_PowerState $ise"],
    [POST => 'amt/power/action/G', { action => 10 },
        'success AMT_PowerAction Power Action requested'],
    [POST => 'amt/power/action/G', { action => 400 }],
    [fault => POST => 'amt/power/action/G', { action => 10 },
        "fail AMT_PowerAction $ise"],
    [POST => 'amt/power/bootOptions/G', { action => 101, useSOL => $no }],
    [POST => 'amt/power/bootOptions/G', { action => 105, useSOL => $no,
        bootDetails => { url => 'https://10.1.1.1/b.efi',
        enforceSecureBoot => $no } }],
    [fault => POST => 'amt/power/bootOptions/G', { action => 101,
        useSOL => $no }, "fail AMT_BootSettingData $ise"],
    [GET => 'amt/power/bootSources/G'],
    [GET => 'amt/power/capabilities/G', undef,
        'request AMT_BootCapabilities Power Capabilities requested g',
        'success AMT_BootCapabilities Power Capabilities received g'],
    [fault => GET => 'amt/power/capabilities/G', undef,
        'request AMT_BootCapabilities Power Capabilities requested g',
        "fail AMT_BootCapabilities $ise"],
    [GET => 'amt/features/G', undef,
        'request AMT_GetFeatures AMT Features requested g',
        'success AMT_GetFeatures AMT Features retrieved g'],
    [fault => GET => 'amt/features/G', undef, "fail AMT_GetFeatures $ise"],
    [POST => 'amt/features/G', { userConsent => 'all', enableSOL => $yes,
        enableIDER => $yes, enableKVM => $yes },
        'request AMT_SetFeatures Set AMT Features requested g',
        'success AMT_SetFeatures AMT Features updated g'],
    [GET => 'amt/userConsentCode/G', undef,
        'success Request_User_Consent_Code User Consent code requested g'],
    [POST => 'amt/userConsentCode/G', { consentCode => '000001' },
        'fail Send_User_Consent_Code User Consent Sent failed g'],
    [GET => 'amt/userConsentCode/cancel/G', undef,
        'success Cancel_User_Consent_Code User Consent code cancelled g'],
    [GET => 'amt/userConsentCode/cancel/G', undef,
        'fail Cancel_User_Consent_Code User Consent Cancel failed g'],
    [fault => GET => 'amt/userConsentCode/G', undef,
        "fail Request_User_Consent_Code $ise"],
    [GET => 'amt/alarmOccurrences/G', undef,
        'request AMT_AlarmOccurrences Alarm occurrences request g',
        'success AMT_AlarmOccurrences Alarm occurrences received g'],
    [POST => 'amt/alarmOccurrences/G', { ElementName => 'up',
        StartTime => '2031-01-02T03:04:05Z', DeleteOnCompletion => $yes },
        'request AMT_AddAlarm Alarm add requested g',
        'success AMT_AddAlarm Alarm occurrences received g'],
    [POST => 'amt/alarmOccurrences/G', { ElementName => 'up' },
        'request AMT_AddAlarm Alarm add requested g',
        'fail AMT_AddAlarm Alarm add request failed g'],
    [DELETE => 'amt/alarmOccurrences/G', { Name => 'up' },
        'request AMT_DeleteAlarm Alarm occurrence delete request g',
        'success AMT_AlarmOccurrences Alarm occurrence deleted g'],
    [DELETE => 'amt/alarmOccurrences/G', { Name => 'up' },
        'request AMT_DeleteAlarm Alarm occurrence delete request g',
        'fail AMT_AlarmOccurrences Alarm occurrence delete request: alarm '
            . 'not found g'],
    [DELETE => 'amt/alarmOccurrences/G', {},
        'request AMT_DeleteAlarm Alarm occurrence delete request g',
        'fail AMT_AlarmOccurrences Invalid alarm occurrence request g'],
    [GET => 'amt/certificates/G', undef,
        'request AMT_GetCertificates AMT Certificates requested g',
        'success AMT_GetCertificates AMT Certificates retrieved g'],
    [POST => 'amt/certificates/G', { cert => $cert, isTrusted => $yes },
        'success AMT_AddCertificate AMT Certificates added successfully g'],
    [DELETE => 'amt/certificates/G/CERT', undef,    # looks for it first
        'request AMT_GetCertificates AMT Certificates requested g',
        'success AMT_GetCertificates AMT Certificates retrieved g',
        'success AMT_DeleteCertificate AMT Certificate deleted successfully '
            . 'g'],
    [DELETE => 'amt/certificates/G/none'],
    [GET => 'amt/kvm/displays/G'],
    [fault => GET => 'amt/kvm/displays/G', undef, "fail AMT_KVM $ise"],
    [PUT => 'amt/kvm/displays/G', { displayIndex => 0 }],
    [POST => 'amt/network/linkPreference/G', { linkPreference => 1,
        timeout => 1 }, 'success AMT_LinkPreference Link Preference set to '
        . 'ME'],
    [POST => 'amt/network/linkPreference/G', { linkPreference => '2',
        timeout => 1 }, 'success AMT_LinkPreference Link Preference set to '
        . 'HOST'],
    [fault => POST => 'amt/network/linkPreference/G', { linkPreference => 1,
        timeout => 1 }, qr/^fail AMT_LinkPreference Set Link Preference failed: /],
    [GET => 'amt/networkSettings/G', undef,
        'request AMT_EthernetPortSettings Network Settings requested g',
        'success AMT_EthernetPortSettings Network Settings received g'],
    [fault => GET => 'amt/networkSettings/G', undef,
        'request AMT_EthernetPortSettings Network Settings requested g',
        "fail AMT_EthernetPortSettings $ise g"],
    [GET => 'amt/networkSettings/wired/G', undef,
        'request AMT_EthernetPortSettings Wired Network Settings requested g',
        'success AMT_EthernetPortSettings Wired Network Settings received g'],
    [PATCH => 'amt/networkSettings/wired/G', { dhcpEnabled => $yes },
        'request AMT_EthernetPortSettings Wired Network Settings update '
            . 'requested g',
        'success AMT_EthernetPortSettings Wired Network Settings updated g'],
    [PATCH => 'amt/networkSettings/wired/G', { dhcpEnabled => $no },
        'request AMT_EthernetPortSettings Wired Network Settings update '
            . 'requested g'],
    [GET => 'amt/networkSettings/wireless/state/G', undef,
        'request CIM_WiFiPort Wireless State requested g',
        'success CIM_WiFiPort Wireless State received g'],
    [POST => 'amt/networkSettings/wireless/state/G',
        { state => 'WifiEnabledS0' },
        'request CIM_WiFiPort Wireless State change requested g',
        'success CIM_WiFiPort Wireless State changed g'],
    [fault => POST => 'amt/networkSettings/wireless/state/G',
        { state => 'WifiDisabled' },
        'request CIM_WiFiPort Wireless State change requested g',
        "fail CIM_WiFiPort $ise g"],
    [GET => 'amt/networkSettings/wireless/profileSync/G', undef,
        'request AMT_WiFiPortConfigurationService Wireless Profile Sync '
            . 'requested g',
        'success AMT_WiFiPortConfigurationService Wireless Profile Sync '
            . 'received g'],
    [POST => 'amt/networkSettings/wireless/profileSync/G',
        { localProfileSync => $yes },
        'request AMT_WiFiPortConfigurationService Wireless Profile Sync '
            . 'update requested g',
        'success AMT_WiFiPortConfigurationService Wireless Profile Sync '
            . 'updated g'],
    [GET => 'amt/networkSettings/wireless/profile/G', undef,
        'request AMT_WiFiProfiles Wireless Profiles requested g',
        'success AMT_WiFiProfiles Wireless Profiles received g'],
    [POST => 'amt/networkSettings/wireless/profile/G',
        { %psk, profileName => 'evhome', priority => 77 },
        'request AMT_WiFiProfiles Wireless Profile add requested g',
        'success AMT_WiFiProfiles Wireless Profile added g'],
    [POST => 'amt/networkSettings/wireless/profile/G',
        { %psk, profileName => 'evhome', priority => 78 },
        'request AMT_WiFiProfiles Wireless Profile add requested g',
        'fail AMT_WiFiProfiles Wireless Profile already exists g'],
    [POST => 'amt/networkSettings/wireless/profile/G',
        { %psk, profileName => 'evoffice', priority => 77 },
        'request AMT_WiFiProfiles Wireless Profile add requested g',
        'fail AMT_WiFiProfiles Wireless Profile with the requested priority '
            . 'already exists g'],
    [PATCH => 'amt/networkSettings/wireless/profile/G',
        { %psk, profileName => 'evhome', priority => 79 },
        'request AMT_WiFiProfiles Wireless Profile update requested g',
        'success AMT_WiFiProfiles Wireless Profile updated g'],
    [PATCH => 'amt/networkSettings/wireless/profile/G',
        { %psk, profileName => 'evnone', priority => 80 },
        'request AMT_WiFiProfiles Wireless Profile update requested g',
        'fail AMT_WiFiProfiles Wireless Profile not found g'],
    [DELETE => 'amt/networkSettings/wireless/profile/G/evhome', undef,
        'request AMT_WiFiProfiles Wireless Profile delete requested g',
        'success AMT_WiFiProfiles Wireless Profile deleted g'],
    [DELETE => 'amt/networkSettings/wireless/profile/G/evhome', undef,
        'request AMT_WiFiProfiles Wireless Profile delete requested g',
        'fail AMT_WiFiProfiles Wireless Profile not found g'],
    [GET => 'health'],
    [GET => 'devices'],
    [PATCH => 'devices', { guid => 'G', hostname => 'pc' },
        'success Device_Updated Device updated g'],
    [PATCH => 'devices', { guid => 'A', hostname => 'pc' }],
    [DELETE => 'devices/refresh/G', undef,
        'success Device_Refreshed Device refreshed g'],
);

sub marker {
    my ($n) = @_;
    my $g = sprintf 'dead0000-0000-4000-8000-%012x', $n;
    $t->get("/api/v1/amt/power/state/$g", key => $key);
    return $g;
}

sub call {
    my ($method, $path, $body) = @_;
    my $handle = '';

    $path =~ s{/G\b}{/$guid};
    if ($path =~ /CERT/) {
        my $r = $t->get("/api/v1/amt/certificates/$guid", key => $key);
        ($handle) = map { $_->{instanceID} } grep {
            ($_->{displayName} || '') =~ /routes/
            || ($_->{subject} || '') =~ /routes/ }
            @{($r->{json}{certificates} || $r->{json})->{publicKeyCertificateItems} || []};
        $handle ||= '';
        $handle =~ s/([^\w-])/sprintf '%%%02x', ord $1/ge;
        $path =~ s/CERT/$handle/;
    }
    $body = { %$body, $body->{guid} ? (guid => { G => $guid, A => $absent }
        ->{$body->{guid}}) : () } if $body;

    return $t->request($method, "/api/v1/$path", key => $key,
        $body ? (json => $body) : ());
}

my (@got, %at, @names);
marker(0);
for my $i (0 .. $#calls) {
    my ($how, @c) = $calls[$i][0] =~ /^[a-z]/ ? @{$calls[$i]}
        : ('', @{$calls[$i]});

    $sim->misbehave(0, 'fault') if $how eq 'fault';
    $sim->misbehave(0, 'no-answer') if $how eq 'silent';
    my $r = call(@c);
    $sim->misbehave(0, 'off') if $how;
    $names[$i] = join ' ', $how, @c[0, 1], "($r->{status})";
    diag("$names[$i] $r->{body}") if $r->{status} >= 400 && !$how && @c < 3
        && $ENV{AMT_DEBUG};
    marker($i + 1);
}

# what is not in the original, and what ends the device, for what ends the device
my $last = @calls;
my @after = (
    [GET => "admin/devices/$guid/secrets"],
    [POST => 'bulk/power', json => { action => 8,
        guids => [$sim->guid(2), $absent] }],
    [DELETE => "amt/deactivate/" . $sim->guid(1)],
    [DELETE => "devices/disconnect/" . $sim->guid(2)],
    [DELETE => "devices/" . $sim->guid(2)],
);
for (@after) {
    my ($method, $path, @args) = @$_;
    my $r = $t->request($method, "/api/v1/$path", key => $key, @args);
    like($r->{status}, qr/^20/, "$method $path") or diag $r->{body};
}
marker($last + 1);

my @events;
$t->wait_for(sub {
    @events = map { @{decode_json($_->[2])->{events}} } $stub->requests;
    grep { ($_->{guid} // '') eq sprintf 'dead0000-0000-4000-8000-%012x',
        $last + 1 } @events;
}, 20);

my $at = -1;
for my $e (@events) {
    if (($e->{guid} // '') =~ /^dead0000-.*-([0-9a-f]{12})$/) {
        is("$e->{type} $e->{methods}[0] $e->{message}",
            'fail CIRA_Connection Device Not Found', 'not connected')
            if $at < 2;
        $at = hex $1;
        next;
    }
    my $g = !$e->{guid} ? '' : $e->{guid} eq $guid ? ' g' : " $e->{guid}";
    push @{$got[$at + 1]}, "$e->{type} $e->{methods}[0] $e->{message}$g"
        unless $e->{methods}[0] =~ /^CIRA_(?:Conn|Disconn)ected$/;
}

for my $i (0 .. $#calls) {
    my @want = @{$calls[$i]};
    splice @want, 0, $want[0] =~ /^[a-z]/ ? 4 : 3;
    my @have = @{$got[$i + 1] || []};

    @want = map { ref $want[$_] && ($have[$_] // '') =~ $want[$_]
        ? $have[$_] : $want[$_] } 0 .. $#want;
    is_deeply(\@have, \@want, $names[$i]);
}

my @rest = @{$got[$last + 1] || []};
ok((grep { $_ eq 'success Device_Secrets_Read Device secrets read g' }
    @rest), 'secrets');
ok((grep { $_ eq 'success AMT_PowerAction Power Action requested '
    . $sim->guid(2) } @rest), 'bulk power');
ok((grep { $_ eq "fail CIRA_Connection Device Not Found $absent" } @rest),
    'bulk power, a device that is not connected');
ok((grep { $_ eq 'success Device_Disconnected Device disconnected '
    . $sim->guid(2) } @rest), 'disconnect');
ok((grep { $_ eq 'success Device_Deleted Device deleted ' . $sim->guid(2) }
    @rest), 'delete');
ok(!(grep { /Unprovision/ } @rest), 'a deactivation that works is silent');

unlike(join('', map { $_->[2] } $stub->requests), qr/good word|P\@ssw0rd/,
    'no password in any event');

$sim->stop;
AMT::Test::done();
