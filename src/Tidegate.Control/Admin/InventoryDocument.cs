using Microsoft.AspNetCore.Http;
using Tidegate.Control.Inventory;
using Tidegate.Recording;

namespace Tidegate.Control.Admin;

/// <summary><c>/api/v1/inventory</c>: what is called and what we offer, found from traffic.</summary>
internal sealed class InventoryDocument(ApiInventory inventory)
{
    public const string Path = "/api/v1/inventory";

    private const string Known = "known are direction, host, api and unlisted";

    public Task AnswerAsync(HttpContext context)
    {
        string? direction = null, host = null, api = null;
        var isUnlisted = false;
        foreach (var (name, values) in context.Request.Query)
        {
            var value = values.ToString();
            switch (name)
            {
                case "direction" when value is "egress" or "ingress":
                    direction = value;
                    break;
                case "host" when value.Length > 0:
                    host = value.ToLowerInvariant();
                    break;
                case "api" when value.Length > 0:
                    api = value;
                    break;
                case "unlisted" when value is "true" or "false":
                    isUnlisted = value == "true";
                    break;
                default:
                    var problem = name switch { "direction" => "'direction' must be egress or ingress", "unlisted" => "'unlisted' must be true or false", "host" or "api" => $"'{name}' has no value", _ => "that is no parameter; " + Known };
                    return AdminReply.ProblemAsync(context, 400, "parameter_invalid", problem + ".");
            }
        }

        return AdminReply.JsonAsync(context, 200, json =>
        {
            json.WriteStartObject();
            json.WriteStartArray("hosts");
            inventory.Read(found =>
            {
                if ((direction is null || ExchangeWords.Of(found.Direction) == direction) && (host is null || found.Host.Equals(host, StringComparison.OrdinalIgnoreCase)) && (api is null || found.Apis.Contains(api)) && (!isUnlisted || found.Apis.Count == 0))
                {
                    InventoryJson.Write(json, found, withEndpoints: host is not null || api is not null);
                }
            });
            json.WriteEndArray();
            json.WriteNumber("omitted_host_exchanges", inventory.DroppedHosts);
            json.WriteNumber("omitted_endpoint_exchanges", inventory.DroppedEndpoints);
            json.WriteEndObject();
        });
    }
}
