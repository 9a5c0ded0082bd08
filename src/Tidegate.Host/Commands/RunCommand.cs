using System.CommandLine;
using System.Runtime.InteropServices;
using Tidegate.Configuration;
using Tidegate.Control.Admin;
using Tidegate.Control.Ledger;
using Tidegate.Edge;
using Tidegate.Forwarding;
using Tidegate.Host.Warming;
using Tidegate.Policies.Limits;

namespace Tidegate.Host.Commands;

/// <summary><c>tidegate run [--config FILE]</c>: the gateway. Without a file it learns: every host passes and is recorded.</summary>
internal static class RunCommand
{
    private const string LearningConfiguration = """
        listeners: { egress: { address: 127.0.0.1:8080 } }
        defaults: { egress: { unlisted_hosts: allow } }
        """;

    // Below the 30 s that systemd's and Kubernetes' defaults leave between SIGTERM and SIGKILL.
    private static readonly TimeSpan DrainLimit = TimeSpan.FromSeconds(25);

    public static Command Create()
    {
        var config = new Option<string?>("--config") { Description = "The configuration file. Without one, learning mode on loopback." };
        var command = new Command("run", "Run the gateway.") { config };
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed.GetValue(config), parsed.InvocationConfiguration.Error, cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(string? file, TextWriter output, CancellationToken cancellationToken)
    {
        await using var log = new ProcessLog(output);
        var time = TimeProvider.System;
        if (EnvironmentChoices.Read(out var upstreams) is { } unknown)
        {
            log.WriteLine(unknown);
            return ExitCode.Configuration;
        }

        var forwarder = new Forwarder(time, upstreams);
        var loaded = file is null ? ConfigurationLoader.LoadText(LearningConfiguration, "learning mode") with { Files = [] } : ConfigurationLoader.Load(file);
        var ledger = file is not null && loaded is { HasErrors: false, Config: { } config }
            ? LimitLedger.Open(StateDirectory.Of(config, file, loaded.Environment), log.WriteLine, time, isNeeded: LimitCompiler.HasKept(loaded))
            : null;
        var services = new CompilerServices(forwarder, time) { Limits = ledger?.Store ?? new LimitStore(time) };
        var (compiled, problems) = SnapshotCompiler.Compile(loaded, services);
        foreach (var problem in problems)
        {
            log.WriteLine(problem.ToString());
        }

        if (compiled is null)
        {
            await forwarder.DisposeAsync();
            return ExitCode.Configuration;
        }

        if (compiled.CannotRun is { } reason)
        {
            await forwarder.DisposeAsync();
            log.WriteLine(reason);
            return ExitCode.Configuration;
        }

        using var stop = new StopSignal();
        var systemd = new SystemdNotifier(Environment.GetEnvironmentVariable("NOTIFY_SOCKET"), time, log.WriteLine);
        GatewayProcess gateway;
        try
        {
            gateway = new GatewayProcess(compiled, services, log.WriteLine, [], ledger: ledger, store: StoreChoice.Open(compiled, log.WriteLine, time), stateDirectory: StateDirectory.Of(compiled.Config, file, loaded.Environment));
        }
        catch (Exception unwritable) when (unwritable is IOException or UnauthorizedAccessException)
        {
            await forwarder.DisposeAsync();
            log.WriteLine($"The access log cannot be opened: {unwritable.Message} Set recording.access_log.path to a file that can be written, to stdout or to off.");
            return ExitCode.Configuration;
        }

        await using var running = gateway;
        var warmUp = "";
        try
        {
            await WarmUp.RunAsync(Environment.GetEnvironmentVariable(WarmUp.Variable), time, line => warmUp = line, cancellationToken);
            await gateway.StartAsync(cancellationToken);
        }
        catch (IOException refused) when (refused is ListenException or AdminListenException)
        {
            log.WriteLine(refused.Message);
            return ExitCode.CannotListen;
        }

        // Not before it is certain that there is a start to speak of: one that fails is one line.
        if (warmUp.Length > 0)
        {
            log.WriteLine(warmUp);
        }

        foreach (var (name, endPoint) in gateway.Endpoints)
        {
            log.WriteLine($"{name} listens on {endPoint}");
        }

        foreach (var (name, endPoint) in gateway.Http3Endpoints)
        {
            log.WriteLine(endPoint is null ? $"{name} does not serve HTTP/3: this machine has no libmsquic" : $"{name} serves HTTP/3 on UDP {endPoint}");
        }

        log.WriteLine(gateway.TransportLine);
        if (file is null)
        {
            log.WriteLine(NextSteps(gateway));
        }

        await using var reloader = file is null ? null : new ConfigurationReloader(file, gateway, systemd, log.WriteLine);
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true;
            reloader?.ReloadNow();
        });
        systemd.Ready($"Serving, version {gateway.Version} of the configuration.");
        await stop.Stopped;
        systemd.Stopping("Draining.");

        // Who reads the line may rely on it: /readyz says 503 by then.
        var draining = gateway.DrainAsync(DrainLimit);
        log.WriteLine($"Draining: exchanges in flight have {DrainLimit.TotalSeconds:0} s to finish.");
        await draining;
        return ExitCode.Success;
    }

    private static string NextSteps(GatewayProcess gateway) => $"""

        Learning mode: every host is allowed, every call is recorded below, nothing is intercepted. Next:
          curl -x http://{gateway.Endpoints[0].EndPoint} http://example.com/
          export HTTP_PROXY=http://{gateway.Endpoints[0].EndPoint} HTTPS_PROXY=http://{gateway.Endpoints[0].EndPoint}
          curl http://{gateway.Endpoints[^1].EndPoint}/api/v1/exchanges    also /api/v1/apis, /api/v1/status and /metrics
          tidegate init, then tidegate run --config tidegate.yaml

        """;
}
