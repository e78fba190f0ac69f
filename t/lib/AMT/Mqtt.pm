package AMT::Mqtt;

# A real MQTT broker (mosquitto) and a subscriber (mosquitto_sub) of one
# topic, on 127.0.0.1.
#
#   my $b = AMT::Mqtt->new($t, port => $t->port('mqtt'), config => '...');
#   $b->start; $b->subscribe('mps/events');
#   my $e = $b->wait_event(sub { $_->{message} eq '...' });
#   my @e = $b->events;                        # decoded, in order
#   $b->stop; $b->start;                       # the subscriber comes back
#
# config replaces "allow_anonymous true" below the listener's line.

use strict;
use warnings;
use AMT::Test;
use JSON::PP;
use POSIX qw(:sys_wait_h);
use Time::HiRes qw(sleep);

sub new {
    my ($class, $t, %o) = @_;

    return bless { t => $t, name => 'mqtt', config => "allow_anonymous true\n",
        host => '127.0.0.1', owner => $$, %o }, $class;
}

sub file { my ($self, $ext) = @_; "$self->{t}{dir}/$self->{name}.$ext" }

sub spawn {
    my ($self, $out, @cmd) = @_;
    my $pid = fork // die "fork: $!";

    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $out;
        open STDERR, '>>', "$out.err";
        exec @cmd or POSIX::_exit(127);
    }

    return $pid;
}

sub start {
    my ($self) = @_;
    my $user = $> == 0 ? "user root\n" : '';
    my $config = $self->{t}->expand($self->{config});

    $self->{t}->write_file($self->file('conf'), <<"END");
${user}persistence false
max_queued_messages 0
log_dest file @{[$self->file('log')]}
log_type all
listener $self->{port} $self->{host}
$config
END
    chmod 0600, $self->file('conf');
    $self->{pid} = $self->spawn($self->file('out'), 'mosquitto', '-c',
        $self->file('conf'));
    $self->{t}->wait_for(sub {
        IO::Socket::INET->new(PeerAddr => $self->{host},
            PeerPort => $self->{port}, Proto => 'tcp')
    }) or die 'mosquitto does not start: ' . $self->log;

    return $self;
}

# Messages go to a file, one JSON object a line.
sub subscribe {
    my ($self, $topic, @args) = @_;
    my $n = $self->subscribed;

    $self->{sub} = $self->spawn($self->file('sub'), 'mosquitto_sub',
        '-h', $self->{host}, '-p', $self->{port}, '-q', 1, '-t', $topic,
        '-i', "sub-$$-$self->{name}", '-c', @args);
    $self->{t}->wait_for(sub { $self->subscribed > $n })
        or die 'no subscription: ' . $self->log;
}

# How often a subscriber was told that it is one, over all of the log
sub subscribed {
    my ($self) = @_;
    my $n = () = $self->log =~ /Sending SUBACK to sub-$$/g;

    return $n;
}

sub log { my ($self) = @_; $self->{t}->read_file($self->file('log')) }

sub lines {
    my ($self) = @_;
    return grep { /\n\z/ } $self->{t}->read_file($self->file('sub')) =~
        /(.*\n)/g;
}

sub events {
    my ($self) = @_;
    return map { scalar eval { JSON::PP->new->utf8->decode($_) } || {} }
        $self->lines;
}

# The first event that the code accepts ($_), or undef
sub wait_event {
    my ($self, $code, $seconds) = @_;
    my $found;

    $self->{t}->wait_for(sub {
        ($found) = grep { $code->() } $self->events;
        $found;
    }, $seconds || 10);

    return $found;
}

sub kill_pid {
    my ($self, $key) = @_;

    return unless $self->{$key} && $self->{owner} == $$;
    kill 'KILL', $self->{$key};
    waitpid $self->{$key}, 0;
    delete $self->{$key};
}

sub stop { my ($self) = @_; $self->kill_pid('pid') }
sub unsubscribe { my ($self) = @_; $self->kill_pid('sub') }

sub DESTROY {
    my ($self) = @_;
    local ($?, $!);
    $self->unsubscribe;
    $self->stop;
}

1;
