using System.Globalization;
using Microsoft.AspNetCore.Http;
using Tidegate.Configuration;
using Tidegate.Control.Audit;
using Tidegate.Control.Live;
using Tidegate.Control.Metrics;
using Tidegate.Recording;

namespace Tidegate.Control.Admin;

/// <summary>Answers the admin listener's requests: first whether the caller may ask, then what was asked for. Everything but a purge is read-only.</summary>
internal sealed class AdminHandler(
    Func<AdminAccess> access, Readiness readiness, GatewayMetrics metrics, StatusDocument status, ApisDocument apis, LimitsDocument limits, InventoryDocument inventory, RecentExchanges recent, PastExchanges past, TailDocument tail, IGatewayView gateway, IDashboard? dashboard, AuditLog audit, Action<string> log)
{
    public const string ExchangesPath = "/api/v1/exchanges";
    private const string OpenApiPath = "/api/v1/openapi.json";

    /// <summary>All that there is, as openapi.json has it.</summary>
    public static readonly IReadOnlyList<string> Paths =
    [
        "/livez", "/readyz", "/metrics", OpenApiPath, "/api/v1/status", "/api/v1/config", "/api/v1/apis", LimitsDocument.Path, InventoryDocument.Path, ExchangesPath, PastExchanges.SearchPath, TailDocument.Path, ExchangesPath + "/{id}", ExchangesPath + "/{id}" + HarDocument.Suffix,
        PastExchanges.SeriesPath, CacheDocuments.AdvicePath, CacheQuestion.Path, AuditDocument.Path, CachePurge.Path,
    ];

    public async Task HandleAsync(HttpContext context)
    {
        var headers = context.Response.Headers;
        headers.XContentTypeOptions = "nosniff";
        headers.CacheControl = "no-store";
        headers.ContentSecurityPolicy = "default-src 'none'; frame-ancestors 'none'";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers["Referrer-Policy"] = "no-referrer";
        try
        {
            await (RefuseHost(context) ?? Dashboard(context) ?? Refuse(context) ?? AnswerAsync(context));
        }
        catch (Exception bug) when (bug is not OperationCanceledException && !context.Response.HasStarted)
        {
            log($"The admin listener could not answer {context.Request.Path}: {bug}");
            await AdminReply.ProblemAsync(context, 500, "admin_error", "The admin listener failed to answer. The log says why.");
        }
    }

    private Task? RefuseHost(HttpContext context) => access().ListensOn is var listensOn && AdminGuard.AllowsHost(context.Request.Host, listensOn)
        ? null
        : AdminReply.ProblemAsync(context, 421, "host_not_ours", "The admin listener is called by a loopback address or localhost. Call http://" + listensOn + " instead.");

    /// <summary>What belongs to the dashboard, which knows people by their session and not by the token in each request.</summary>
    private Task? Dashboard(HttpContext context) => dashboard?.Has(context.Request.Path) == true ? dashboard.HandleAsync(context, access()) : null;

    /// <summary>The refusal of a caller who may not ask, or of a request that nothing here takes.</summary>
    private Task? Refuse(HttpContext context)
    {
        var request = context.Request;

        // Whoever decides about traffic or restarts needs no secret, and learns none.
        if (request.Path.Value is not ("/livez" or "/readyz"))
        {
            if (AdminGuard.IsFromElsewhere(request))
            {
                return AdminReply.ProblemAsync(context, 403, "cross_site", "The admin API does not answer another site's page.");
            }

            if (Who(context) is not { } caller)
            {
                context.Response.Headers.WWWAuthenticate = "Bearer realm=\"tidegate admin\"";
                return AdminReply.ProblemAsync(context, 401, "token_needed", "Send the token of listeners.admin.token as: Authorization: Bearer TOKEN");
            }

            if (!AdminPermissions.Allows(caller, request.Path.Value ?? ""))
            {
                return AdminReply.ProblemAsync(context, 403, "not_allowed", $"{caller.Name} may not see this. Roles and tenants are in listeners.admin.sign_in.");
            }

            context.Features.Set(caller);
        }

        if (request.Path.Value == CachePurge.Path)
        {
            return CachePurge.Refuse(context);
        }

        // A question about a call with content has that content. It changes nothing either.
        if (!HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method) && !(HttpMethods.IsPost(request.Method) && request.Path.Value == CacheQuestion.Path))
        {
            context.Response.Headers.Allow = "GET, HEAD";
            return AdminReply.ProblemAsync(context, 405, "method_not_allowed", "The admin API only reads, a purge aside: use GET.");
        }

        return null;
    }

    /// <summary>A program by the token, a person by the session; else null.</summary>
    private AdminCaller? Who(HttpContext context)
    {
        var now = access();
        return now.IsOpen ? AdminCaller.Anyone
            : now.Token is not null && AdminGuard.HasToken(context.Request, now.Token) ? AdminCaller.Token
            : dashboard?.Who(context, now);
    }

    private Task AnswerAsync(HttpContext context) => context.Request.Path.Value switch
    {
        "/livez" => AdminReply.JsonAsync(context, 200, static json =>
        {
            json.WriteStartObject();
            json.WriteBoolean("live", true);
            json.WriteEndObject();
        }),
        "/readyz" => ReadyAsync(context),
        "/metrics" => MetricsAsync(context),
        "/api/v1/status" => AdminReply.JsonAsync(context, 200, json => status.Write(json, access().ListensOn)),
        "/api/v1/config" => AdminReply.JsonAsync(context, 200, json => ConfigView.Write(json, gateway.Configuration.Effective, gateway.Configuration.Positions)),
        "/api/v1/apis" => AdminReply.JsonAsync(context, 200, apis.Write),
        LimitsDocument.Path => AdminReply.JsonAsync(context, 200, limits.Write),
        InventoryDocument.Path => inventory.AnswerAsync(context),
        CacheDocuments.AdvicePath => AdminReply.JsonAsync(context, 200, json => CacheDocuments.WriteAdvice(json, gateway.Cache)),
        CacheQuestion.Path => CacheQuestion.AnswerAsync(context, gateway),
        CachePurge.Path => CachePurge.AnswerAsync(context, gateway, audit),
        AuditDocument.Path => AuditDocument.AnswerAsync(context, audit),
        ExchangesPath => ExchangesAsync(context),
        OpenApiPath => AdminReply.BytesAsync(context, 200, "application/json", OpenApiDocument.Content),
        TailDocument.Path => TailAsync(context),
        PastExchanges.SeriesPath => past.SeriesAsync(context),
        PastExchanges.SearchPath => past.SearchAsync(context),
        { } path when path.StartsWith(ExchangesPath + "/", StringComparison.Ordinal) => ExchangeAsync(context, path[(ExchangesPath.Length + 1)..]),
        _ => AdminReply.ProblemAsync(context, 404, "not_found", "There is " + string.Join(", ", Paths) + "."),
    };

    /// <summary>As long as whoever watches is signed in.</summary>
    private async Task TailAsync(HttpContext context)
    {
        var ends = dashboard?.SessionEnd(context, access()) ?? default;
        using var ending = ends.Register(static open => ((HttpContext)open!).Abort(), context);
        await tail.AnswerAsync(context);
    }

    private Task ReadyAsync(HttpContext context)
    {
        var state = readiness.State;
        return AdminReply.JsonAsync(context, state == GatewayState.Ready ? 200 : 503, json =>
        {
            json.WriteStartObject();
            json.WriteBoolean("ready", state == GatewayState.Ready);
            json.WriteString("state", readiness.Word);
            if (state != GatewayState.Ready)
            {
                json.WriteString("reason", state == GatewayState.Starting ? "The traffic listeners do not listen yet." : "The gateway finishes what is in flight and then ends.");
            }

            json.WriteEndObject();
        });
    }

    private Task MetricsAsync(HttpContext context)
    {
        var writer = new PrometheusWriter();
        metrics.Write(writer);
        return AdminReply.BytesAsync(context, 200, PrometheusWriter.ContentType, writer.ToUtf8());
    }

    private Task ExchangesAsync(HttpContext context)
    {
        if (ExchangeQuery.Parse(context.Request.Query, out var query) is { } problem)
        {
            return AdminReply.ProblemAsync(context, 400, "parameter_invalid", problem + ".");
        }

        var tenants = AdminScope.Of(context).Tenants;
        var found = recent.Find(record => AdminScope.Has(tenants, record.Consumer.Tenant) && query.Fits(record), query.Limit);
        return AdminReply.JsonAsync(context, 200, json =>
        {
            json.WriteStartObject();
            json.WriteStartArray("exchanges");
            foreach (var record in found)
            {
                ExchangeJson.Write(json, record);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        });
    }

    private async Task ExchangeAsync(HttpContext context, string text)
    {
        var isHar = text.EndsWith(HarDocument.Suffix, StringComparison.Ordinal);
        text = isHar ? text[..^HarDocument.Suffix.Length] : text;
        if (text.Length != 16 || !ulong.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var id))
        {
            await AdminReply.ProblemAsync(context, 400, "parameter_invalid", "An exchange's id has 16 hex digits, as in the Tidegate-Exchange field and the access log.");
            return;
        }

        var caller = AdminScope.Of(context);
        await past.OneAsync(context, id, (json, found) =>
        {
            if (isHar)
            {
                // What people sent is for those who run the gateway.
                HarDocument.Write(json, found, caller.SeesConfiguration ? gateway.Captures.Find(id) : null);
            }
            else
            {
                ExchangeJson.Write(json, found);
            }
        });
    }
}

/// <summary>What decides who may ask.</summary>
/// <param name="ListensOn">Where the admin listener really is.</param>
/// <param name="Token">For programs; null where none is set.</param>
/// <param name="SignIn">For people; null: the token is.</param>
internal readonly record struct AdminAccess(System.Net.IPEndPoint ListensOn, Secret? Token, SignInSettings? SignIn)
{
    /// <summary>Whoever reaches the address may do everything.</summary>
    public bool IsOpen => Token is null && SignIn is null;
}
