using System.Net;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Tidegate.Edge;
using Tidegate.Exchanges;
using Tidegate.Policies.Cache;

namespace Tidegate.Control.Admin;

/// <summary>
/// <c>/api/v1/cache/explain</c>: what is stored of one URL, and whether it would be used. As a POST it has the content that the call would have, for endpoints whose key has the content.
/// </summary>
internal static class CacheQuestion
{
    public const string Path = "/api/v1/cache/explain";

    private const int MaxFields = 32;

    public static async Task AnswerAsync(HttpContext context, IGatewayView gateway)
    {
        if (HttpMethods.IsPost(context.Request.Method) && context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } bound)
        {
            bound.MaxRequestBodySize = KeyedContent.MaxBytes;
        }

        var content = new MemoryStream();
        try
        {
            await context.Request.Body.CopyToAsync(content, context.RequestAborted);
        }
        catch (BadHttpRequestException refused)
        {
            await (refused.StatusCode == StatusCodes.Status413PayloadTooLarge
                ? AdminReply.ProblemAsync(context, 413, "content_too_large", $"Content above {KeyedContent.MaxBytes / 1024} KB is a part of no key: such a call goes to the upstream.")
                : AdminReply.ProblemAsync(context, 400, "content_invalid", "The content did not come whole: " + refused.Message));
            return;
        }

        if (Ask(context.Request.Query, gateway, content.ToArray(), out var problem) is not { } exchange)
        {
            await AdminReply.ProblemAsync(context, 400, "parameter_invalid", problem!);
            return;
        }

        var plan = GatewayHandler.Route(exchange, gateway.Configuration.Snapshot);
        var policy = plan?.Pipeline.Policies.OfType<CachePolicy>().FirstOrDefault();
        var summary = plan is null ? "no API has this URL" : policy is null ? "nothing is stored here" : (await policy.ExplainAsync(exchange, content.ToArray())).Summary;
        await AdminReply.JsonAsync(context, 200, json =>
        {
            json.WriteStartObject();
            json.WriteString("url", exchange.Target.Scheme + "://" + exchange.Target.Authority + exchange.Target.PathAndQuery);
            json.WriteString("api", exchange.ApiName);
            json.WriteString("endpoint", exchange.EndpointName);
            json.WriteString("consumer", exchange.Consumer.Name);
            json.WriteString("cache", summary);
            if (policy is not null && exchange.BasePath is not null)
            {
                json.WriteString("base_url", exchange.BaseOrigin + exchange.BasePath);
            }
            else if (policy is not null && plan!.Route.BasePath is { } basePath)
            {
                json.WriteString("note", $"Calls by base URL are kept apart: for them ask with the URL that they call, http://GATEWAY{basePath.TrimEnd('/')}{exchange.Target.Path}.");
            }

            json.WriteEndObject();
        });
    }

    /// <summary>The exchange that such a call would be.</summary>
    private static Exchange? Ask(IQueryCollection query, IGatewayView gateway, byte[] content, out string? problem)
    {
        var url = query["url"].ToString();
        var (direction, consumer, method) = (query["direction"].ToString(), query["consumer"].ToString(), query["method"].ToString());
        if (query.Keys.FirstOrDefault(static key => key is not ("url" or "direction" or "consumer" or "method" or "header")) is { } unknown)
        {
            problem = $"'{unknown}' is not known here; use url, method, header, consumer and direction.";
            return null;
        }

        if (direction is not ("" or "ingress" or "egress"))
        {
            problem = "'direction' must be ingress or egress.";
            return null;
        }

        var known = gateway.Configuration.Config.Consumers.FirstOrDefault(known => known.Name == consumer);
        if (consumer.Length > 0 && consumer != Consumer.Anonymous.Name && known is null)
        {
            problem = $"There is no consumer '{consumer}'.";
            return null;
        }

        method = method.Length > 0 ? method : content.Length > 0 ? "POST" : "GET";
        var result = CanonicalTarget.ParseAbsolute(Encoding.UTF8.GetBytes(url), direction == "ingress");
        if (!result.IsTarget)
        {
            problem = $"'url' must be an absolute http or https URL: {result.Rejection.Detail}";
            return null;
        }

        var routes = gateway.Configuration.Snapshot.Routes;
        var (target, origin) = (result.Target, (string?)null);
        var isEgress = direction == "egress" || (direction.Length == 0 && routes.Match(Direction.Egress, method, target).Route is not null);
        if (direction != "ingress" && routes.Match(Direction.Egress, method, target).Route is null && (isEgress || routes.Match(Direction.Ingress, method, target).Route is null)
            && routes.MatchBasePath(method, target.Path).Route is not null)
        {
            // An API's base path on our own address, as the edge reads it.
            var based = CanonicalTarget.ParseOrigin(Encoding.UTF8.GetBytes(target.PathAndQuery), target.Scheme, default, isIngress: false);
            if (!based.IsTarget)
            {
                problem = based.Rejection.Detail;
                return null;
            }

            (origin, target, isEgress) = (target.Scheme + "://" + target.Authority, based.Target, true);
        }

        var exchange = new Exchange
        {
            Connection = new ClientConnection { PeerAddress = IPAddress.Loopback },
            Client = null!,
            Direction = isEgress ? Direction.Egress : Direction.Ingress,
            Method = method,
            Target = target,
            BaseOrigin = origin,
            Consumer = known is null ? Consumer.Anonymous : new Consumer(known.Name, known.Tenant, known.Environment),
            RequestBody = content.Length == 0 ? MessageBody.Empty : new BegunBody(content, rest: null),
        };
        foreach (var field in query["header"].Take(MaxFields))
        {
            var colon = field?.IndexOf(':', StringComparison.Ordinal) ?? -1;
            if (colon <= 0)
            {
                problem = "'header' is a field of the request, as Name: value.";
                return null;
            }

            exchange.RequestHeaders.Add(field![..colon], field[(colon + 1)..].Trim());
        }

        if (!isEgress && !exchange.RequestHeaders.Contains(KnownHeader.XForwardedProto))
        {
            // As the edge has it for a client that no proxy speaks for.
            exchange.RequestHeaders.Add(KnownHeader.XForwardedProto, exchange.Target.Scheme);
        }

        problem = null;
        return exchange;
    }
}
