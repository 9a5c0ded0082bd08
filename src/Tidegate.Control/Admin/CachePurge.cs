using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Tidegate.Control.Audit;
using Tidegate.Edge;
using Tidegate.Exchanges;
using Tidegate.Policies.Cache;

namespace Tidegate.Control.Admin;

/// <summary>
/// <c>POST /api/v1/cache/purge</c>: a JSON object that names what is no longer true, by <c>url</c>, <c>prefix</c>, <c>tag</c> with <c>api</c>, <c>api</c> alone,
/// <c>consumer</c>, <c>credential</c> (a field's value, with <c>header</c> where the field is not Authorization), or <c>"all": true</c>; with <c>"soft": true</c> it only becomes stale. The only thing that the admin API changes.
/// </summary>
internal static class CachePurge
{
    public const string Path = "/api/v1/cache/purge";

    private static readonly string[] Names = ["url", "prefix", "tag", "api", "consumer", "credential", "header", "all", "soft"];

    /// <summary>
    /// A web page can make its visitor's browser send a POST anywhere, loopback included, but not with this content type without asking first, and not without
    /// saying that it comes from elsewhere.
    /// </summary>
    public static Task? Refuse(HttpContext context)
    {
        var request = context.Request;
        if (!HttpMethods.IsPost(request.Method))
        {
            context.Response.Headers.Allow = "POST";
            return AdminReply.ProblemAsync(context, 405, "method_not_allowed", "A purge is a POST with a JSON object.");
        }

        if (request.Headers["Sec-Fetch-Site"] is { Count: > 0 } site && site != "same-origin" && site != "none")
        {
            return AdminReply.ProblemAsync(context, 403, "cross_site", "A purge is not taken from another site's page.");
        }

        if (request.Headers.Origin.Count > 0)
        {
            return AdminReply.ProblemAsync(context, 403, "cross_site", "A purge is not taken from a web page.");
        }

        return request.ContentType?.Split(';')[0].Trim().Equals("application/json", StringComparison.OrdinalIgnoreCase) == true
            ? null
            : AdminReply.ProblemAsync(context, 415, "content_type", "Send the purge as application/json.");
    }

    public static async Task AnswerAsync(HttpContext context, IGatewayView gateway, AuditLog audit)
    {
        JsonDocument document;
        try
        {
            document = await JsonDocument.ParseAsync(context.Request.Body, new JsonDocumentOptions { MaxDepth = 4 }, context.RequestAborted);
        }
        catch (JsonException broken)
        {
            await AdminReply.ProblemAsync(context, 400, "purge_invalid", "The content is not JSON: " + broken.Message);
            return;
        }
        catch (BadHttpRequestException refused)
        {
            await (refused.StatusCode == StatusCodes.Status413PayloadTooLarge
                ? AdminReply.ProblemAsync(context, 413, "content_too_large", "A purge has at most 4 KB. Name one thing at a time, or a prefix.")
                : AdminReply.ProblemAsync(context, 400, "purge_invalid", "The content did not come whole: " + refused.Message));
            return;
        }

        using (document)
        {
            var problem = Apply(document.RootElement, gateway);
            audit.Add(AdminScope.Of(context).Name, context.Connection.RemoteIpAddress?.ToString() ?? "", "purge", problem ?? Named(document.RootElement), problem is null);
            if (problem is not null)
            {
                await AdminReply.ProblemAsync(context, 400, "purge_invalid", problem);
                return;
            }
        }

        await AdminReply.JsonAsync(context, 200, json =>
        {
            json.WriteStartObject();
            json.WriteBoolean("purged", true);
            json.WriteNumber("epoch", gateway.Cache.Epochs.Current);
            json.WriteEndObject();
        });
    }

    /// <summary>What a purge was of, for the audit log: a credential's value stays out of it.</summary>
    private static string Named(JsonElement purge) =>
        string.Join(", ", purge.EnumerateObject().Where(property => property.Value.ValueKind != JsonValueKind.False).Select(property => property.Name == "credential" ? "credential=***" : $"{property.Name}={property.Value}"));

    /// <summary>Purges what is named.</summary>
    /// <returns>What is wrong with the purge; null when nothing is.</returns>
    internal static string? Apply(JsonElement purge, IGatewayView gateway)
    {
        if (purge.ValueKind != JsonValueKind.Object)
        {
            return "A purge is a JSON object with url, prefix, tag and api, api, consumer, credential, or all.";
        }

        if (purge.EnumerateObject().FirstOrDefault(property => !Names.Contains(property.Name)) is { Value.ValueKind: not JsonValueKind.Undefined } unknown)
        {
            return $"'{unknown.Name}' is not known here; use {string.Join(", ", Names)}.";
        }

        foreach (var property in purge.EnumerateObject())
        {
            var isFlag = property.Name is "all" or "soft";
            if (isFlag ? property.Value.ValueKind is not (JsonValueKind.True or JsonValueKind.False) : property.Value.ValueKind != JsonValueKind.String || property.Value.ValueEquals(""))
            {
                return $"'{property.Name}' must be {(isFlag ? "true or false" : "a string, and not an empty one")}.";
            }
        }

        var (url, prefix, tag, api) = (Text(purge, "url"), Text(purge, "prefix"), Text(purge, "tag"), Text(purge, "api"));
        var (consumer, credential, header) = (Text(purge, "consumer"), Text(purge, "credential"), Text(purge, "header"));
        var isAll = Flag(purge, "all");
        var isSoft = Flag(purge, "soft");
        var named = (url is null ? 0 : 1) + (prefix is null ? 0 : 1) + (tag is null && api is null ? 0 : 1) + (consumer is null ? 0 : 1) + (credential is null ? 0 : 1) + (isAll ? 1 : 0);
        if (named != 1)
        {
            return "Name one of url, prefix, tag with api, api, consumer, credential, and all: true.";
        }

        if (api is not null && !gateway.Configuration.Config.Apis.Any(known => known.Name == api))
        {
            return $"There is no API '{api}'.";
        }

        if (tag is not null && api is null)
        {
            return "A tag needs the api whose answers carry it.";
        }

        if (consumer is not null && consumer != Consumer.Anonymous.Name && !gateway.Configuration.Config.Consumers.Any(known => known.Name == consumer))
        {
            return $"There is no consumer '{consumer}'.";
        }

        if (header is not null && credential is null)
        {
            return "A header needs the credential that it carries.";
        }

        var cache = gateway.Cache;
        if ((url ?? prefix) is { } written)
        {
            var targets = StoredUrls.Of(written, out var problem);
            foreach (var target in targets)
            {
                if (url is not null)
                {
                    cache.PurgeUrl(target, isSoft, Queries(gateway));
                }
                else
                {
                    cache.PurgePrefix(target, isSoft);
                }
            }

            return targets.Count == 0 ? problem : null;
        }

        if (tag is not null)
        {
            cache.PurgeTag(api!, tag, isSoft);
        }
        else if (api is not null)
        {
            cache.PurgeApi(api, isSoft);
        }
        else if (consumer is not null)
        {
            cache.PurgeConsumer(consumer, isSoft);
        }
        else if (credential is not null)
        {
            cache.PurgeCredential(header ?? "Authorization", credential, isSoft, Policies(gateway).Select(policy => policy.Settings.InjectedCredential));
        }
        else
        {
            cache.PurgeAll(isSoft);
        }

        return null;
    }

    /// <summary>By which parts of a query answers are stored, anywhere.</summary>
    private static IEnumerable<QueryRule> Queries(IGatewayView gateway) => Policies(gateway).Select(policy => policy.Settings.Query).Where(query => !query.IsWhole).Distinct();

    private static IEnumerable<CachePolicy> Policies(IGatewayView gateway) => gateway.Configuration.Snapshot.Plans.SelectMany(plan => plan.Pipeline.Policies).OfType<CachePolicy>();

    private static string? Text(JsonElement purge, string name) => purge.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static bool Flag(JsonElement purge, string name) => purge.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.True;
}
