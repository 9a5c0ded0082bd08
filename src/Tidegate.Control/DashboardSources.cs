using Tidegate.Control.Audit;
using Tidegate.Control.Inventory;
using Tidegate.Control.Live;
using Tidegate.Control.Otlp;
using Tidegate.Control.Store.Queries;
using Tidegate.Recording;

namespace Tidegate.Control;

/// <summary>Where the dashboard's pages have what they show from.</summary>
/// <param name="Version">Of the program.</param>
/// <param name="Started">When the process began.</param>
/// <param name="Gateway">What is in force, and its state.</param>
/// <param name="Store">The past; null where nothing is kept.</param>
/// <param name="Recent">The last exchanges.</param>
/// <param name="Apis">Every API over the last minute.</param>
/// <param name="Seconds">All traffic by the second.</param>
/// <param name="Readiness">Whether traffic is served.</param>
/// <param name="Reloads">What became of reloads.</param>
/// <param name="InFlight">What has begun and not ended.</param>
/// <param name="Otlp">What became of exports; null where there are none.</param>
/// <param name="Audit">Who did what.</param>
/// <param name="Inventory">What was found from traffic.</param>
/// <param name="Limits">What is left of limits.</param>
/// <param name="StateDirectory">Where who is signed in is kept; null: only in memory.</param>
/// <param name="Log">Takes one line.</param>
/// <param name="Time">The clock.</param>
internal sealed record DashboardSources(
    string Version,
    DateTimeOffset Started,
    IGatewayView Gateway,
    StoreReader? Store,
    RecentExchanges Recent,
    ApiStatistics Apis,
    RecentSeconds Seconds,
    Readiness Readiness,
    ReloadHistory Reloads,
    ExchangesInFlight InFlight,
    OtlpState? Otlp,
    AuditLog Audit,
    ApiInventory Inventory,
    LimitsNow Limits,
    string? StateDirectory,
    Action<string> Log,
    TimeProvider Time);
