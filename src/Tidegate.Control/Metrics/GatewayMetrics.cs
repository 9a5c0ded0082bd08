using Tidegate.Control.Audit;
using Tidegate.Control.Inventory;
using Tidegate.Control.Otlp;
using Tidegate.Exchanges;
using Tidegate.Policies.AdaptiveConcurrency;
using Tidegate.Policies.Cache;
using Tidegate.Policies.CircuitBreaker;
using Tidegate.Policies.Hedge;
using Tidegate.Recording;
using Tidegate.Recording.Metrics;

namespace Tidegate.Control.Metrics;

/// <summary>Everything that the gateway counts, in one order, for whoever writes it down.</summary>
internal sealed class GatewayMetrics(ExchangeMetrics exchanges, ExchangesInFlight inFlight, IGatewayView gateway, Readiness readiness, ReloadHistory reloads, OtlpState? otlp, AuditLog audit, ProcessMetrics process, ApiInventory inventory)
{
    private static readonly MetricDescription Ready = new("tidegate_ready", "tidegate.ready", "1", MetricKind.Gauge, "1 while traffic is served, 0 while starting and draining.");
    private static readonly MetricDescription InFlight = new("tidegate_exchanges_in_flight", "tidegate.exchanges.in_flight", "{exchange}", MetricKind.Gauge, "Exchanges that have begun and not ended.");
    private static readonly MetricDescription Connections = new("tidegate_listener_connections", "tidegate.listener.connections", "{connection}", MetricKind.Gauge, "Client connections open now.");
    private static readonly MetricDescription Refused = new("tidegate_listener_connections_refused_total", "tidegate.listener.connections_refused", "{connection}", MetricKind.Counter, "Client connections closed at once because a limit was reached.");
    private static readonly MetricDescription Records = new("tidegate_records_total", "tidegate.records", "{record}", MetricKind.Counter, "Records handed to the sinks.");
    private static readonly MetricDescription Dropped = new("tidegate_records_dropped_total", "tidegate.records_dropped", "{record}", MetricKind.Counter, "Records lost because the sinks were too slow. They are missing in every other number here.");
    private static readonly MetricDescription StoreOpen = new("tidegate_store_open", "tidegate.store.open", "1", MetricKind.Gauge, "Whether exchanges are kept: 0 while the exchange store cannot be opened.");
    private static readonly MetricDescription StoreFailures = new("tidegate_store_failures_total", "tidegate.store.failures", "{failure}", MetricKind.Counter, "Times that the exchange store could not bring what it has to the disk.");
    private static readonly MetricDescription StoreDropped = new("tidegate_store_dropped_total", "tidegate.store.dropped", "{record}", MetricKind.Counter, "Records that were lost: the store was not open yet, no room while PostgreSQL could not take them, refused by it, or left when the gateway ended.");
    private static readonly MetricDescription StoreSetAside = new("tidegate_store_set_aside_total", "tidegate.store.set_aside", "{file}", MetricKind.Counter, "Files of the exchange store that could not be read, or not all of them, and were set aside.");
    private static readonly MetricDescription StoreBytes = new("tidegate_store_bytes", "tidegate.store.size", "By", MetricKind.Gauge, "What kept exchanges take on the disk, their sums aside.");
    private static readonly MetricDescription SinkFailures = new("tidegate_sink_failures_total", "tidegate.sink_failures", "{batch}", MetricKind.Counter, "Batches of records that a sink could not take.");
    private static readonly MetricDescription LimitKeys = new("tidegate_limit_keys", "tidegate.limit.keys", "{key}", MetricKind.Gauge, "Counts that limits keep, one for each limit and key.");
    private static readonly MetricDescription LimitKeysEvicted = new("tidegate_limit_keys_evicted_total", "tidegate.limit.keys_evicted", "{key}", MetricKind.Counter, "Counts that were forgotten while they still mattered, because there were too many.");
    private static readonly MetricDescription LedgerFailures = new("tidegate_limit_ledger_failures_total", "tidegate.limit.ledger_failures", "{failure}", MetricKind.Counter, "Times that counts that outlive a restart could not be saved.");
    private static readonly MetricDescription AuditFailures = new("tidegate_audit_failures_total", "tidegate.audit.failures", "{entry}", MetricKind.Counter, "Entries of the audit log that could not be written.");
    private static readonly MetricDescription CostsUnread = new("tidegate_limit_costs_unread_total", "tidegate.limit.costs_unread", "{exchange}", MetricKind.Counter, "Exchanges whose content was to say what they cost and did not, or not within what is read of it.");
    private static readonly MetricDescription Waiting = new("tidegate_limit_waiting", "tidegate.limit.waiting", "{exchange}", MetricKind.Gauge, "Exchanges that wait until a limit has room.");
    private static readonly MetricDescription CircuitStates = new("tidegate_circuit_state", "tidegate.circuit.state", "1", MetricKind.Gauge, "0 closed, 1 half open, 2 open: nothing is sent to the upstream.");
    private static readonly MetricDescription CircuitsOpened = new("tidegate_circuit_opened_total", "tidegate.circuit.opened", "{opening}", MetricKind.Counter, "How often an upstream was found to be down.");
    private static readonly MetricDescription Throttles = new("tidegate_adaptive_throttled_total", "tidegate.adaptive.throttled", "{attempt}", MetricKind.Counter, "Attempts that were refused here because the upstream refuses more than it accepts.");
    private static readonly MetricDescription AdaptiveLimit = new("tidegate_adaptive_concurrency_limit", "tidegate.adaptive.concurrency_limit", "{attempt}", MetricKind.Gauge, "How many attempts an upstream can work on at once, as far as that was found out.");
    private static readonly MetricDescription AdaptiveInFlight = new("tidegate_adaptive_concurrency_in_flight", "tidegate.adaptive.concurrency_in_flight", "{attempt}", MetricKind.Gauge, "Attempts in flight that the adaptive limit counts.");
    private static readonly MetricDescription AdaptiveMinimum = new("tidegate_adaptive_concurrency_minimum_seconds", "tidegate.adaptive.concurrency_minimum", "s", MetricKind.Gauge, "How long an upstream with little to do takes to begin an answer; 0 when that was not measured yet.");
    private static readonly MetricDescription AdaptiveRefused = new("tidegate_adaptive_concurrency_refused_total", "tidegate.adaptive.concurrency_refused", "{attempt}", MetricKind.Counter, "Attempts for which the adaptive limit had no room.");
    private static readonly MetricDescription SpillBytes = new("tidegate_retry_spill_bytes", "tidegate.retry.spill_size", "By", MetricKind.Gauge, "Request content that is kept in files for another attempt.");
    private static readonly MetricDescription SpillFailures = new("tidegate_retry_spill_failures_total", "tidegate.retry.spill_failures", "{piece}", MetricKind.Counter, "Times that request content could not be kept in a file, so that it was attempted once.");
    private static readonly MetricDescription DestinationAttempts = new("tidegate_destination_attempts_total", "tidegate.destination.attempts", "{request}", MetricKind.Counter, "Requests sent to a destination of several, by whether it answered.");
    private static readonly MetricDescription DestinationEjected = new("tidegate_destination_ejected", "tidegate.destination.ejected", "1", MetricKind.Gauge, "1 while a destination of several is left out because it does not answer or asked for a pause, or would be where ejection only observes.");
    private static readonly MetricDescription DestinationEjections = new("tidegate_destination_ejections_total", "tidegate.destination.ejections", "{ejection}", MetricKind.Counter, "How often a destination was left out because it does not answer, or would have been.");
    private static readonly MetricDescription DestinationSetAsides = new("tidegate_destination_set_asides_total", "tidegate.destination.set_asides", "{pause}", MetricKind.Counter, "How often a destination of several was left out because it asked for a pause, or would have been.");
    private static readonly MetricDescription DestinationSetAside = new("tidegate_destination_set_aside_seconds", "tidegate.destination.set_aside", "s", MetricKind.Gauge, "Until when a destination of several is left out because it asked for a pause; 0 when it is not.");
    private static readonly MetricDescription KeyRequests = new("tidegate_credential_requests_total", "tidegate.credential.requests", "{request}", MetricKind.Counter, "Answers to requests with one key of several, by whether the provider took it.");
    private static readonly MetricDescription KeysSetAside = new("tidegate_credential_set_aside_seconds", "tidegate.credential.set_aside", "s", MetricKind.Gauge, "Until when a key of several is not used because the provider refused it; 0 when it is.");
    private static readonly MetricDescription Hedges = new("tidegate_hedges_total", "tidegate.hedges", "{request}", MetricKind.Counter, "Requests that were slow enough to be sent a second time, by what became of the second.");
    private static readonly MetricDescription HedgesAfter = new("tidegate_hedge_after_seconds", "tidegate.hedge.after", "s", MetricKind.Gauge, "After how long without an answer a request is sent a second time; 0 while that is not known.");
    private static readonly MetricDescription Throttled = new("tidegate_provider_throttled_total", "tidegate.provider.throttled", "{answer}", MetricKind.Counter, "Answers in which a provider refused, by what it meant.");
    private static readonly MetricDescription SignalsIgnored = new("tidegate_provider_signals_ignored_total", "tidegate.provider.signals_ignored", "{value}", MetricKind.Counter, "Values about limits in providers' answers that said nothing usable, or more than is believed.");
    private static readonly MetricDescription Cooling = new("tidegate_provider_cooling_seconds", "tidegate.provider.cooling", "s", MetricKind.Gauge, "Until when a provider is not called because it asked for a pause; 0 when it is.");
    private static readonly MetricDescription CacheRequests = new("tidegate_cache_requests_total", "tidegate.cache.requests", "{request}", MetricKind.Counter, "Exchanges by what the cache made of them.");
    private static readonly MetricDescription CacheBytes = new("tidegate_cache_bytes", "tidegate.cache.size", "By", MetricKind.Gauge, "Stored answers and what is on its way into the store.");
    private static readonly MetricDescription CacheEntries = new("tidegate_cache_entries", "tidegate.cache.entries", "{answer}", MetricKind.Gauge, "Stored answers.");
    private static readonly MetricDescription CacheFlights = new("tidegate_cache_flights", "tidegate.cache.flights", "{request}", MetricKind.Gauge, "Requests to upstreams that others may wait for.");
    private static readonly MetricDescription CacheEvictions = new("tidegate_cache_evictions_total", "tidegate.cache.evictions", "{answer}", MetricKind.Counter, "Answers that were let go because the store was full.");
    private static readonly MetricDescription CacheDiskBytes = new("tidegate_cache_disk_bytes", "tidegate.cache.disk.size", "By", MetricKind.Gauge, "Stored answers on disk.");
    private static readonly MetricDescription CacheDiskEntries = new("tidegate_cache_disk_entries", "tidegate.cache.disk.entries", "{answer}", MetricKind.Gauge, "Stored answers on disk that can be used.");
    private static readonly MetricDescription CacheDiskReads = new("tidegate_cache_disk_reads_total", "tidegate.cache.disk.reads", "{answer}", MetricKind.Counter, "Answers that were read from disk into memory.");
    private static readonly MetricDescription CacheDiskWrites = new("tidegate_cache_disk_writes_total", "tidegate.cache.disk.writes", "{answer}", MetricKind.Counter, "Answers that were written to disk.");
    private static readonly MetricDescription CacheDiskNotWritten = new("tidegate_cache_disk_not_written_total", "tidegate.cache.disk.not_written", "{answer}", MetricKind.Counter, "Answers that were not, because the disk was slow, full or broken.");
    private static readonly MetricDescription CacheDiskDamaged = new("tidegate_cache_disk_damaged_total", "tidegate.cache.disk.damaged", "{answer}", MetricKind.Counter, "Answers on disk that were found damaged and not used.");
    private static readonly MetricDescription CachePurges = new("tidegate_cache_purges_total", "tidegate.cache.purges", "{purge}", MetricKind.Counter, "Purges by what they name.");
    private static readonly MetricDescription CacheInvalidations = new("tidegate_cache_invalidations_total", "tidegate.cache.invalidations", "{url}", MetricKind.Counter, "URLs that a successful request with an unsafe method made invalid.");
    private static readonly MetricDescription CacheRefreshFailures = new("tidegate_cache_refresh_failures_total", "tidegate.cache.refresh_failures", "{request}", MetricKind.Counter, "Background refreshes that brought no answer.");
    private static readonly MetricDescription Snapshot = new("tidegate_snapshot_version", "tidegate.snapshot.version", "1", MetricKind.Gauge, "The configuration in force; counts up from 1 with every one that was put in force.");
    private static readonly MetricDescription Reloads = new("tidegate_reloads_total", "tidegate.reloads", "{reload}", MetricKind.Counter, "Attempts to put another configuration in force.");
    private static readonly MetricDescription LastReload = new("tidegate_last_reload_successful", "tidegate.last_reload.successful", "1", MetricKind.Gauge, "1 when the file as it is now is in force, 0 when the last attempt failed.");
    private static readonly MetricDescription Exports = new("tidegate_otlp_exports_total", "tidegate.otlp.exports", "{export}", MetricKind.Counter, "Exports to the OTLP collector.");
    private static readonly MetricDescription Spans = new("tidegate_otlp_spans_total", "tidegate.otlp.spans", "{span}", MetricKind.Counter, "Spans by what became of them.");
    private static readonly MetricDescription Logs = new("tidegate_otlp_logs_total", "tidegate.otlp.logs", "{record}", MetricKind.Counter, "Exported log records by what became of them.");

    private static readonly MetricLabelName Listener = new("listener", "tidegate.listener");
    private static readonly MetricDescription CapturedBytes = new("tidegate_captured_bytes", "tidegate.captured.bytes", "By", MetricKind.Gauge, "Memory that captured headers and content take.");
    private static readonly MetricDescription CapturesDropped = new("tidegate_captures_dropped_total", "tidegate.captures.dropped", "{exchange}", MetricKind.Counter, "Exchanges that were to be captured and were not, because too many came at once.");
    private static readonly MetricDescription InventoryHosts = new("tidegate_inventory_hosts", "tidegate.inventory.hosts", "{host}", MetricKind.Gauge, "Hosts and APIs of ours that the inventory knows.");
    private static readonly MetricDescription InventoryOmitted = new("tidegate_inventory_omitted_exchanges_total", "tidegate.inventory.omitted_exchanges", "{exchange}", MetricKind.Counter, "Exchanges with a host or an endpoint for which the inventory had no room.");
    private static readonly MetricLabelName Of = new("of", "tidegate.inventory.of");
    private static readonly MetricLabelName Destination = new("destination", "tidegate.destination");
    private static readonly MetricLabelName CostIn = new("in", "tidegate.limit.cost_in");
    private static readonly MetricLabelName Region = new("region", "tidegate.region");
    private static readonly MetricLabelName Credential = new("credential", "tidegate.credential");
    private static readonly MetricLabelName Sink = new("sink", "tidegate.sink");
    private static readonly MetricLabelName Result = new("result", "tidegate.result");
    private static readonly MetricLabelName Kind = new("kind", "tidegate.provider.kind");
    private static readonly MetricLabelName Purged = new("kind", "tidegate.cache.kind");
    private static readonly MetricLabelName Signal = new("signal", "tidegate.otlp.signal");

    public void Write(IMetricWriter writer)
    {
        process.Write(writer);
        writer.Begin(Ready);
        writer.Write(readiness.State == GatewayState.Ready ? 1 : 0);
        writer.Begin(InFlight);
        writer.Write(inFlight.Count(Direction.Egress), [MetricLabels.Of(Direction.Egress)]);
        writer.Write(inFlight.Count(Direction.Ingress), [MetricLabels.Of(Direction.Ingress)]);
        WriteListeners(writer);
        WriteRecording(writer);
        WriteLimits(writer);
        ShareMetrics.Write(writer, gateway);
        WriteCircuits(writer);
        WriteAdaptive(writer);
        writer.Begin(SpillBytes);
        writer.Write(gateway.Spill.Bytes);
        writer.Begin(SpillFailures);
        writer.Write(gateway.Spill.Failures);
        WriteDestinations(writer);
        WriteKeys(writer);
        WriteHedges(writer);
        WriteProviders(writer);
        WriteCache(writer);
        WriteConfiguration(writer);
        if (otlp is not null)
        {
            WriteOtlp(writer, otlp);
        }

        writer.Begin(CapturedBytes);
        writer.Write(gateway.Captures.Bytes);
        writer.Begin(CapturesDropped);
        writer.Write(gateway.Captures.Dropped);
        writer.Begin(InventoryHosts);
        writer.Write(inventory.Hosts);
        writer.Begin(InventoryOmitted);
        writer.Write(inventory.DroppedHosts, [new(Of, "hosts")]);
        writer.Write(inventory.DroppedEndpoints, [new(Of, "endpoints")]);
        ExchangeMetricsReader.Write(exchanges, writer);
    }

    private void WriteListeners(IMetricWriter writer)
    {
        var listeners = gateway.Listeners;
        writer.Begin(Connections);
        foreach (var listener in listeners)
        {
            writer.Write(listener.Open, [new(Listener, listener.Name)]);
        }

        writer.Begin(Refused);
        foreach (var listener in listeners)
        {
            writer.Write(listener.Refused, [new(Listener, listener.Name)]);
        }
    }

    private void WriteRecording(IMetricWriter writer)
    {
        writer.Begin(Records);
        writer.Write(gateway.Recorded);
        writer.Begin(Dropped);
        writer.Write(gateway.Dropped);
        if (gateway.Store is { } store)
        {
            writer.Begin(StoreOpen);
            writer.Write(store.Closed is null ? 1 : 0);
            writer.Begin(StoreFailures);
            writer.Write(store.Failures);
            writer.Begin(StoreDropped);
            writer.Write(store.Dropped);
            writer.Begin(StoreSetAside);
            writer.Write(store.SetAsideFiles);
            writer.Begin(StoreBytes);
            writer.Write(store.Bytes);
        }

        writer.Begin(SinkFailures);
        foreach (var (sink, failures) in gateway.SinkFailures)
        {
            writer.Write(failures, [new(Sink, sink)]);
        }
    }

    private void WriteLimits(IMetricWriter writer)
    {
        writer.Begin(LimitKeys);
        writer.Write(gateway.Limits.Cells.Count);
        writer.Begin(LimitKeysEvicted);
        writer.Write(gateway.Limits.Cells.Evicted);
        writer.Begin(LedgerFailures);
        writer.Write(gateway.LedgerFailures);
        writer.Begin(AuditFailures);
        writer.Write(audit.Failures);
        writer.Begin(CostsUnread);
        writer.Write(gateway.Limits.UnreadRequests, [new(CostIn, "request")]);
        writer.Write(gateway.Limits.UnreadAnswers, [new(CostIn, "answer")]);
        writer.Begin(Waiting);
        foreach (var (api, waiting) in gateway.Limits.Waiting)
        {
            writer.Write(waiting, [new(MetricLabels.Api, api)]);
        }
    }

    private void WriteCircuits(IMetricWriter writer)
    {
        var circuits = CircuitsInForce.Of(gateway);
        writer.Begin(CircuitStates);
        foreach (var (api, endpoint, circuit) in circuits)
        {
            writer.Write(circuit.State switch { CircuitState.Open => 2, CircuitState.HalfOpen => 1, _ => 0 }, [new(MetricLabels.Api, api), new(MetricLabels.Endpoint, endpoint)]);
        }

        writer.Begin(CircuitsOpened);
        foreach (var (api, endpoint, circuit) in circuits)
        {
            writer.Write(circuit.Opened, [new(MetricLabels.Api, api), new(MetricLabels.Endpoint, endpoint)]);
        }
    }

    private void WriteAdaptive(IMetricWriter writer)
    {
        writer.Begin(Throttles);
        foreach (var (api, endpoint, throttle) in gateway.Throttles.All)
        {
            writer.Write(throttle.Throttled, [new(MetricLabels.Api, api), new(MetricLabels.Endpoint, endpoint)]);
        }

        WriteGradients(writer, AdaptiveLimit, static gradient => gradient.Limit);
        WriteGradients(writer, AdaptiveInFlight, static gradient => gradient.InFlight);
        WriteGradients(writer, AdaptiveMinimum, static gradient => gradient.Minimum.TotalSeconds);
        WriteGradients(writer, AdaptiveRefused, static gradient => gradient.Refused);
    }

    private void WriteGradients(IMetricWriter writer, MetricDescription metric, Func<ConcurrencyGradient, double> value)
    {
        writer.Begin(metric);
        foreach (var (api, endpoint, gradient) in gateway.Gradients.All)
        {
            writer.Write(value(gradient), [new(MetricLabels.Api, api), new(MetricLabels.Endpoint, endpoint)]);
        }
    }

    private void WriteDestinations(IMetricWriter writer)
    {
        var destinations = gateway.Destinations.ToList();
        writer.Begin(DestinationAttempts);
        foreach (var one in destinations)
        {
            writer.Write(one.Health.Good, [.. Labels(one), new(Result, "ok")]);
            writer.Write(one.Health.Bad, [.. Labels(one), new(Result, "failed")]);
        }

        writer.Begin(DestinationEjected);
        foreach (var one in destinations)
        {
            writer.Write(one.IsEjected ? 1 : 0, Labels(one));
        }

        writer.Begin(DestinationEjections);
        foreach (var one in destinations)
        {
            writer.Write(one.Health.Ejected, Labels(one));
        }

        writer.Begin(DestinationSetAsides);
        foreach (var one in destinations)
        {
            writer.Write(one.Health.SetAside, Labels(one));
        }

        writer.Begin(DestinationSetAside);
        foreach (var one in destinations)
        {
            writer.Write(one.AskedSeconds, Labels(one));
        }

        static MetricLabel[] Labels(DestinationView one) => [new(MetricLabels.Api, one.Api), new(Destination, one.Destination), new(Region, one.Health.Region)];
    }

    private void WriteKeys(IMetricWriter writer)
    {
        var keys = gateway.Keys.All.OrderBy(key => key.Api, StringComparer.Ordinal).ThenBy(key => key.Key.Name, StringComparer.Ordinal).ToList();
        writer.Begin(KeyRequests);
        foreach (var key in keys)
        {
            writer.Write(key.Passed, [new(MetricLabels.Api, key.Api), new(Credential, key.Key.Name), new(Result, "ok")]);
            writer.Write(key.Refused, [new(MetricLabels.Api, key.Api), new(Credential, key.Key.Name), new(Result, "refused")]);
        }

        writer.Begin(KeysSetAside);
        foreach (var key in keys)
        {
            writer.Write(key.SetAsideSeconds(), [new(MetricLabels.Api, key.Api), new(Credential, key.Key.Name)]);
        }
    }

    private void WriteHedges(IMetricWriter writer)
    {
        var routes = gateway.Hedges.All.OrderBy(route => route.Api, StringComparer.Ordinal).ThenBy(route => route.Endpoint, StringComparer.Ordinal).ToList();
        writer.Begin(Hedges);
        foreach (var (api, endpoint, route) in routes)
        {
            foreach (var result in Enum.GetValues<HedgeResult>())
            {
                writer.Write(route.Of(result), [new(MetricLabels.Api, api), new(MetricLabels.Endpoint, endpoint), new(Result, result.ToString().ToLowerInvariant())]);
            }
        }

        writer.Begin(HedgesAfter);
        foreach (var (api, endpoint, route) in routes)
        {
            writer.Write(route.Settings is { } settings && route.After(settings) is { } after ? after.TotalSeconds : 0, [new(MetricLabels.Api, api), new(MetricLabels.Endpoint, endpoint)]);
        }
    }

    private void WriteProviders(IMetricWriter writer)
    {
        var providers = gateway.Limits.Providers.OrderBy(provider => provider.Api, StringComparer.Ordinal).ToList();
        writer.Begin(Throttled);
        foreach (var provider in providers)
        {
            for (var kind = ProviderSignal.Throttle; kind <= ProviderSignal.Permanent; kind++)
            {
                // Those that never came too: a series that begins with its first refusal shows no increase by it.
                writer.Write(provider.Throttled(kind), [new(MetricLabels.Api, provider.Api), new(Kind, ExchangeWords.Of(kind))]);
            }
        }

        writer.Begin(SignalsIgnored);
        foreach (var provider in providers)
        {
            writer.Write(provider.Ignored, [new(MetricLabels.Api, provider.Api)]);
        }

        writer.Begin(Cooling);
        foreach (var provider in providers)
        {
            writer.Write(provider.CoolingSeconds(), [new(MetricLabels.Api, provider.Api)]);
        }

        WindowMetrics.Write(writer, gateway);
    }

    private void WriteCache(IMetricWriter writer)
    {
        var cache = gateway.Cache;
        writer.Begin(CacheRequests);
        foreach (var result in Enum.GetValues<CacheResult>())
        {
            // What was asked for in the background is no client's request.
            if (result is not (CacheResult.None or CacheResult.Refresh))
            {
                writer.Write(cache.Counters.Of(result), [new(Result, ExchangeWords.Of(result))]);
            }
        }

        writer.Begin(CacheBytes);
        writer.Write(cache.Store.Bytes);
        writer.Begin(CacheEntries);
        writer.Write(cache.Store.Count);
        writer.Begin(CacheFlights);
        writer.Write(cache.Flights.Count);
        writer.Begin(CacheEvictions);
        writer.Write(cache.Store.Evictions);
        if (cache.Disk is { } disk)
        {
            foreach (var (metric, value) in ((MetricDescription, long)[])[(CacheDiskBytes, disk.Bytes), (CacheDiskEntries, disk.Entries), (CacheDiskReads, disk.Reads), (CacheDiskWrites, disk.Written), (CacheDiskNotWritten, disk.NotWritten), (CacheDiskDamaged, disk.DamagedEntries)])
            {
                writer.Begin(metric);
                writer.Write(value);
            }
        }

        writer.Begin(CachePurges);
        foreach (var kind in Enum.GetValues<PurgeKind>())
        {
            writer.Write(cache.Counters.Of(kind), [new(Purged, kind.ToString().ToLowerInvariant())]);
        }

        writer.Begin(CacheInvalidations);
        writer.Write(cache.Counters.Invalidations);
        writer.Begin(CacheRefreshFailures);
        writer.Write(cache.Counters.RefreshFailures);
    }

    private void WriteConfiguration(IMetricWriter writer)
    {
        writer.Begin(Snapshot);
        writer.Write(gateway.Configuration.Snapshot.Version);
        writer.Begin(Reloads);
        writer.Write(reloads.Succeeded, [new(Result, "ok")]);
        writer.Write(reloads.Failed, [new(Result, "failed")]);
        writer.Begin(LastReload);
        writer.Write(reloads.Last?.IsInForce == false ? 0 : 1);
    }

    private static void WriteOtlp(IMetricWriter writer, OtlpState state)
    {
        writer.Begin(Exports);
        foreach (var signal in state.Signals)
        {
            writer.Write(signal.Succeeded, [new(Signal, signal.Name), new(Result, "ok")]);
            writer.Write(signal.Failed, [new(Signal, signal.Name), new(Result, "failed")]);
        }

        foreach (var (items, signal) in (ReadOnlySpan<(MetricDescription, OtlpSignal)>)[(Spans, state.Traces), (Logs, state.Logs)])
        {
            writer.Begin(items);
            writer.Write(signal.ItemsExported, [new(Result, "exported")]);
            writer.Write(signal.ItemsDropped, [new(Result, "dropped")]);
            writer.Write(signal.ItemsRefused, [new(Result, "refused")]);
        }
    }
}
